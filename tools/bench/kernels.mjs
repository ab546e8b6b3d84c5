/**
 * Kernels by shape, each next to a copy and to the float kernel of the same shape, on the adapter that is there:
 *
 *   npm run bench -- kernels [--json] [--adapter=NAME] [--only=TEXT] [--shapes=MxNxK,…] [--repeats=COUNT] [--accuracy=f16] [--sweep=BYTES]
 *
 * The programs of a shape run in turns, so that what else the machine does meets them alike; times are medians of timestamps around
 * the dispatches, less that of an empty one. On a GPU it is kept busy before each shape, weights come from memory, not from the cache, and a chain of
 * multiply-adds in the same submit tells rows that ran at an idle clock (`clock` says how much slower the chain was than at its best).
 */
import { compileProgram, webgpuKernels } from '@qfuse/backend-webgpu';
import { requestDevice, warmUp } from '@qfuse/device-node';
import { constantOf, Constant, Editor, Graph, tensorOf, tensorType } from '@qfuse/ir';
import { kernelCases } from './kernel-cases.mjs';
import { Clock, Copy, probeKernels, Sink, Sweep } from './probes.mjs';

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

const rows = [1, 2, 4, 8, 32, 64, 256, 512];
const layers = {
  gpu: [
    [4096, 4096],
    [14336, 4096],
    [4096, 14336],
    [2048, 2048],
  ],
  software: [
    [256, 256],
    [384, 1536],
    [1536, 384],
    [250, 150],
  ],
};

/** `[m, n, k]` of all rows and layers for an adapter; on a software one no more than it computes in a moment. */
function defaultShapes(software) {
  const all = (software ? layers.software : layers.gpu).flatMap(([n, k]) => rows.map((m) => [m, n, k]));
  return software ? all.filter(([m, n, k]) => m * n * k <= 4e7) : all;
}

/** Bytes that look random and are the same in every run. */
function noise(bytes) {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i ^ (i >>> 7), 2654435761);
  return new Uint8Array(words.buffer, 0, bytes);
}

/** `count` floats, `base` ± half of `range`. */
function floatBytes(count, range, base) {
  const out = new Float32Array(count);
  const step = range / 2 ** 32;
  for (let i = 0; i < count; i++) out[i] = base + step * (Math.imul(i, 2654435761) >> 0);
  return new Uint8Array(out.buffer);
}

const bits = { i8: 8, u8: 8, i4: 4, u4: 4 };
const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);

/** What `build` of a case makes nodes with. Constants are kept in `known` for other graphs, with what is derived from them. */
function maker(graph, known) {
  const edit = new Editor(graph);
  let count = 0;
  const constant = (dtype, shape, what, make) => {
    const key = `${what} ${dtype} ${shape.join('×')}`;
    if (!known.has(key)) known.set(key, Constant.of(tensorType(dtype, shape), make(sizeOf(shape))));
    return edit.addConstant(`c${count++}`, 'constant', known.get(key));
  };
  const integers = (dtype, shape, what, at) =>
    constant(dtype, shape, what, (size) =>
      constantOf(
        tensorOf(
          dtype,
          [size],
          Array.from({ length: size }, (_, i) => at(i)),
        ),
      ).bytes(),
    );
  return {
    edit,
    floats: (shape) => constant('f32', shape, 'floats', (size) => floatBytes(size, 2, 0)),
    scales: (shape) => constant('f32', shape, 'scales', (size) => floatBytes(size, 0.01, 0.02)),
    codes: (dtype, shape) => constant(dtype, shape, 'codes', (size) => noise(Math.ceil((size * bits[dtype]) / 8))),
    zeros: (dtype, shape) => integers(dtype, shape, 'zeros', (i) => (i % 5) - 2),
    whole: (dtype, shape, value) => integers(dtype, shape, `all ${value}`, () => value),
    indices: (shape, rows) => integers('i64', shape, `below ${rows}`, (i) => (i * 7919) % rows),
    node: (op, operands, attrs) =>
      edit.create(op, Object.fromEntries(Object.entries(operands).filter(([, v]) => v !== undefined)), attrs).results[0],
  };
}

/** A graph around what `build` makes; probes before and after it. */
function graphOf(build, shape, swept, known) {
  const graph = new Graph('bench');
  const make = maker(graph, known);
  const clock = () => make.edit.create(Clock, { x: make.floats([2]) }).result;
  const outputs = [clock()];
  if (swept > 0)
    outputs.push(make.edit.create(Sink, { x: make.edit.create(Sweep, { x: make.floats([4]) }, { count: swept / 4 }).result }).result);
  const result = build(make, shape);
  outputs.push(make.edit.create(Sink, { x: result }).result, clock());
  make.edit.setOutputs(outputs);
  return graph;
}

const isProbe = ({ op }) => op.startsWith('bench.') && op !== 'bench.copy';
const timeOf = (timings, wanted) => timings.filter(wanted).reduce((sum, t) => sum + t.microseconds, 0);

/** Runs the programs in turns; medians of the time of what they measure, and of the clock's chain beside it. */
async function measure(programs, repeats, keepBusy) {
  const taken = programs.map(() => ({ us: [], sink: [], clock: [], timings: [] }));
  for (let i = 0; i <= repeats; i++) {
    // The load of the runs alone would let the clock sink.
    if (i % 4 === 0) await keepBusy();
    for (const [p, program] of programs.entries()) {
      const { timings } = await program.run([], { profile: true });
      if (i === 0) continue;
      const dispatches = timings.filter((t) => !isProbe(t));
      taken[p].us.push(timeOf(dispatches, () => true));
      taken[p].sink.push(timings.findLast((t) => t.op === 'bench.sink').microseconds);
      taken[p].clock.push(median(timings.filter((t) => t.op === 'bench.clock').map((t) => t.microseconds)));
      taken[p].timings = dispatches;
    }
  }
  return taken.map(({ us, sink, clock, timings }) => ({ us: median(us), empty: Math.min(...sink), clock: median(clock), timings }));
}

/** Bytes of the copy that bandwidths are compared with, and of what is written to empty caches. */
const sizes = (software) => (software ? { copy: 1 << 23, swept: 0 } : { copy: 1 << 27, swept: 1 << 28 });

/** Options from the command line; see above. */
export function kernelOptions(args) {
  const value = (name) => args.find((a) => a.startsWith(`--${name}=`))?.slice(name.length + 3);
  const number = (name) => (value(name) === undefined ? undefined : Number(value(name)));
  return {
    adapter: value('adapter'),
    only: value('only'),
    accuracy: value('accuracy'),
    shapes: value('shapes')
      ?.split(',')
      .map((s) => s.split(/[x×]/).map(Number)),
    repeats: number('repeats'),
    sweep: number('sweep'),
  };
}

/** Yields a record for each kernel and shape. */
export async function* benchKernels({ adapter = 'auto', only, shapes, repeats, accuracy, sweep } = {}) {
  const node = await requestDevice({ adapter });
  try {
    if (!node.device.features.has('timestamp-query')) throw new Error(`${node.adapter.name} has no timestamps`);
    const software = node.adapter.isSoftware;
    const { copy, swept } = { ...sizes(software), ...(sweep === undefined ? {} : { swept: sweep }) };
    const copies = { name: 'copy', build: (make) => make.edit.create(Copy, { x: make.floats([copy / 4]) }).result };
    const cases = kernelCases.filter(({ name }) => only === undefined || name.includes(only));
    const needed = new Set([...cases.map((c) => c.name), ...cases.map((c) => c.counterpart)]);
    let bestClock = Infinity;
    let known = new Map();
    let layer = '';
    for (const [m, n, k] of shapes ?? defaultShapes(software)) {
      // The rows of one layer share its weights; those of the next would not fit beside them.
      if (layer !== `${n}×${k}`) known = new Map();
      layer = `${n}×${k}`;
      const fitting = [copies, ...kernelCases].filter(
        (c) =>
          (c === copies || needed.has(c.name)) && (c.groupSize === undefined || k % c.groupSize === 0) && (c.takes?.({ m, n, k }) ?? true),
      );
      const programs = await Promise.all(
        fitting.map(({ build }) =>
          compileProgram(graphOf(build, { m, n, k }, swept, known), {
            device: node.device,
            accuracy,
            kernels: [...probeKernels, ...webgpuKernels],
          }),
        ),
      );
      await warmUp(node);
      const measured = await measure(programs, repeats ?? (software ? 9 : 15), () => warmUp(node, 0.1));
      for (const program of programs) program.dispose();
      bestClock = Math.min(bestClock, ...measured.map((r) => r.clock));
      // An empty pass has a time of its own, which is none of the kernel's.
      const net = measured.map((r) => Math.max(r.us - r.timings.length * r.empty, 0.1));
      const copySpeed = (2 * copy) / net[0];
      const named = new Map(fitting.map(({ name }, i) => [name, net[i]]));
      for (const [i, { name, counterpart, note }] of fitting.entries()) {
        const { timings, clock } = measured[i];
        const cost = name === 'copy' ? { bytes: 2 * copy, operations: 0 } : timings[0].cost;
        const float = named.get(counterpart);
        yield {
          kernel: name,
          shape: name === 'copy' ? '' : `${m}×${n}×${k}`,
          form: timings.map((t) => t.dispatch).join(' + '),
          us: net[i],
          'GB/s': cost.bytes / net[i] / 1e3,
          'GFLOP/s': cost.operations / net[i] / 1e3,
          ofCopy: cost.bytes / net[i] / copySpeed,
          timesFloat: float === undefined ? undefined : float / net[i],
          clock: software ? undefined : clock / bestClock,
          note: float !== undefined && float < net[i] ? note?.({ m, n, k }) : undefined,
        };
      }
    }
  } finally {
    node.destroy();
  }
}
