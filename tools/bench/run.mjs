// `npm run bench [-- --json] [-- graph|packing|dispatch|models …]`: what the README's figures come from. Runs on the built packages.
// Timings on a shared machine are noisy: what is compared is measured side by side in one run.
import { benchGraph } from './graph.mjs';
import { benchDispatch, benchModels } from './device.mjs';
import { benchPacking } from './packing.mjs';

const suites = { graph: benchGraph, packing: benchPacking, dispatch: benchDispatch, models: benchModels };

const args = process.argv.slice(2);
const json = args.includes('--json');
const wanted = args.filter((a) => !a.startsWith('--'));
const unknown = wanted.filter((name) => !Object.hasOwn(suites, name));
if (unknown.length > 0) {
  console.error(`there is no benchmark ${unknown.join(', ')}; there are ${Object.keys(suites).join(', ')}`);
  process.exit(2);
}

const results = {};
for (const [name, bench] of Object.entries(suites)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  if (!json) console.log(`\n${name}`);
  results[name] = await bench();
  if (!json) print(results[name]);
}
if (json) console.log(JSON.stringify({ node: process.version, platform: `${process.platform}-${process.arch}`, ...results }, null, 2));

/** Records as lines of aligned columns. */
function print(records) {
  const columns = [...new Set(records.flatMap((r) => Object.keys(r)))];
  const text = (v) => (typeof v === 'number' ? (Number.isInteger(v) ? String(v) : v.toPrecision(4)) : String(v ?? ''));
  const widths = columns.map((c) => Math.max(c.length, ...records.map((r) => text(r[c]).length)));
  const line = (cells) => `  ${cells.map((cell, i) => cell.padEnd(widths[i])).join('  ')}`.trimEnd();
  console.log(line(columns));
  for (const r of records) console.log(line(columns.map((c) => text(r[c]))));
}
