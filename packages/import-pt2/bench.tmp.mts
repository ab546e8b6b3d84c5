import { archive, meta, node, program } from './test/program-builder.js';
import { toyOps } from './test/toy-ops.js';
import { importPt2 } from './src/import-pt2.js';
for (const n of [1000, 10000, 100000]) {
  const f = meta(7, [3, 4]); const nodes = []; const values = {};
  for (let i = 0; i < n; i++) { nodes.push(node('aten.relu.default', { self: i ? `v${i-1}` : 'x' }, [`v${i}`])); values[`v${i}`] = f; }
  const bytes = archive({ document: program({ inputs: { x: f }, nodes, values, outputs: [`v${n-1}`] }) });
  const t = performance.now(); const g = importPt2(bytes, { ops: toyOps }); console.log(n, g.size, bytes.length, (performance.now() - t) / n * 1000, 'us/node', process.memoryUsage().rss / 1e6);
}
