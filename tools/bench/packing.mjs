// How fast weights are packed for the GPU, next to a plain copy of the same bytes.
import { packedFormat, packWeight } from '@qfuse/backend-webgpu';
import { Constant, tensorType } from '@qfuse/ir';

const N = 2048;
const K = 2048;

/** Best milliseconds of a few runs. */
function best(run) {
  let ms = Infinity;
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    run();
    ms = Math.min(ms, performance.now() - start);
  }
  return ms;
}

/** GB of weights per second, one byte a weight. */
export function benchPacking() {
  const bytes = Uint8Array.from({ length: N * K }, (_, i) => (i * 7) & 7);
  const copyMs = best(() => bytes.slice());
  const gigabytes = (N * K) / 1e9;
  const records = [{ what: 'copy', shape: `${N}x${K}`, ms: copyMs, gigabytesPerSecond: (1000 * gigabytes) / copyMs, timesTheCopy: 1 }];
  for (const bits of [8, 4]) {
    // A new constant each time: packing is done once per constant and kept.
    const [dtype, stored] = bits === 8 ? ['i8', bytes] : ['i4', bytes.subarray(0, (N * K) / 2)];
    const ms = best(() => packWeight(Constant.of(tensorType(dtype, [N, K]), stored), packedFormat(bits)).bytes());
    records.push({
      what: `pack ${bits} bit`,
      shape: `${N}x${K}`,
      ms,
      gigabytesPerSecond: (1000 * gigabytes) / ms,
      timesTheCopy: ms / copyMs,
    });
  }
  return records;
}
