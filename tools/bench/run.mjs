// `npm run bench [-- --json] [-- graph|packing|dispatch|models|kernels …]`: what the README's figures come from. Runs on the built packages.
// Timings on a shared machine are noisy: what is compared is measured side by side in one run.
// `kernels` is long and runs only when it is named, with `--json` as a line for each record; its options are in kernels.mjs.
import { benchGraph } from './graph.mjs';
import { benchDispatch, benchModels } from './device.mjs';
import { benchKernels, kernelOptions } from './kernels.mjs';
import { benchPacking } from './packing.mjs';

const args = process.argv.slice(2);
const suites = { graph: benchGraph, packing: benchPacking, dispatch: benchDispatch, models: benchModels };
/** Suites that yield records one by one. */
const long = { kernels: () => benchKernels(kernelOptions(args)) };

const json = args.includes('--json');
const wanted = args.filter((a) => !a.startsWith('--'));
const unknown = wanted.filter((name) => !Object.hasOwn(suites, name) && !Object.hasOwn(long, name));
if (unknown.length > 0) {
  console.error(`there is no benchmark ${unknown.join(', ')}; there are ${[...Object.keys(suites), ...Object.keys(long)].join(', ')}`);
  process.exit(2);
}

const results = {};
for (const [name, bench] of Object.entries(suites)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  if (!json) console.log(`\n${name}`);
  results[name] = await bench();
  if (!json) print(results[name]);
}
for (const [name, bench] of Object.entries(long)) {
  if (!wanted.includes(name)) continue;
  if (!json) console.log(`\n${name}`);
  for await (const record of bench()) console.log(json ? JSON.stringify(record) : lineOf(record));
}
if (json && Object.keys(results).length > 0)
  console.log(JSON.stringify({ node: process.version, platform: `${process.platform}-${process.arch}`, ...results }, null, 2));

/** A record of the kernels as one line. */
function lineOf({ kernel, shape, form, us, ofCopy, timesFloat, clock, note, ...rates }) {
  const number = (v, unit) => `${v >= 100 ? v.toFixed(0) : v.toPrecision(3)} ${unit}`;
  const parts = [
    `${number(us, 'µs').padStart(10)}`,
    number(rates['GB/s'], 'GB/s').padStart(11),
    number(rates['GFLOP/s'], 'GFLOP/s').padStart(14),
    `${ofCopy.toFixed(2)} of copy`,
    timesFloat === undefined ? '' : `${timesFloat.toFixed(2)}× float`,
    clock !== undefined && clock > 1.15 ? `slow clock (${clock.toFixed(2)}×)` : '',
    note ?? '',
  ];
  return `  ${kernel.padEnd(30)} ${shape.padEnd(16)} ${form.padEnd(18)} ${parts.join('  ')}`.trimEnd();
}

/** Records as lines of aligned columns. */
function print(records) {
  const columns = [...new Set(records.flatMap((r) => Object.keys(r)))];
  const text = (v) => (typeof v === 'number' ? (Number.isInteger(v) ? String(v) : v.toPrecision(4)) : String(v ?? ''));
  const widths = columns.map((c) => Math.max(c.length, ...records.map((r) => text(r[c]).length)));
  const line = (cells) => `  ${cells.map((cell, i) => cell.padEnd(widths[i])).join('  ')}`.trimEnd();
  console.log(line(columns));
  for (const r of records) console.log(line(columns.map((c) => text(r[c]))));
}
