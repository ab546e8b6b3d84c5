// `node tools/gpu/report.mjs RESULTS.jsonl …`: what check.mjs printed, as the tables of docs/benchmarks. Reads JSON lines, writes Markdown.
import { readFileSync } from 'node:fs';

const rows = process.argv.slice(2).flatMap((path) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line)),
);
const of = (what) => rows.filter((r) => r.what === what);
const table = (head, lines) => [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const models = of('model').map((m) =>
  m.right
    ? [m.name, 'yes', m.worstShare.toExponential(1), String(m.dequantizeLeft), m.compileMs.toFixed(0), m.runMs.toFixed(2)]
    : [m.name, `no: ${String(m.error).split(' ')[0]}`, '', '', '', ''],
);
if (models.length > 0)
  console.log(`## Models\n\n${table(['model', 'right', 'error', 'dequantize left', 'compile ms', 'run ms'], models)}\n`);

const forms = of('forms').map((f) => [f.form, String(f.checked), String(f.wrong), f.worst.toPrecision(2), f.error.toExponential(1)]);
if (forms.length > 0)
  console.log(`## Forms\n\n${table(['form', 'layers checked', 'wrong', 'largest share of the bound', 'largest error'], forms)}\n`);

// An idle GPU clocks down: a calibration kernel in each submit says how far the clock was from full.
const SLOW_CLOCK = 1.15;
const kernels = of('kernel');
const slow = kernels.filter((k) => k.clock > SLOW_CLOCK).length;
const shapes = new Map();
for (const k of kernels.filter(({ shape }) => shape !== '')) {
  const [m, n, depth] = k.shape.split('×');
  const layer = `${n} × ${depth}`;
  if (!shapes.has(layer)) shapes.set(layer, { rows: new Set(), cells: new Map() });
  const { rows: ms, cells } = shapes.get(layer);
  ms.add(m);
  if (!cells.has(k.kernel)) cells.set(k.kernel, new Map());
  const rate = k.kernel.includes('linear') ? ` (${(k['GFLOP/s'] / 1000).toPrecision(3)})` : '';
  cells.get(k.kernel).set(m, `${k.us.toPrecision(3)}${rate}`);
}
for (const [layer, { rows: ms, cells }] of shapes) {
  const lines = [...cells].map(([kernel, byRows]) => [kernel, ...[...ms].map((m) => byRows.get(m) ?? '')]);
  console.log(
    `## N × K = ${layer}\n\nµs a dispatch (TFLOP/s), by rows.\n\n${table(['kernel', ...[...ms].map((m) => `M = ${m}`)], lines)}\n`,
  );
}
if (kernels.length > 0) console.log(`${kernels.length} rows; ${slow} of them were not at full clock.`);
