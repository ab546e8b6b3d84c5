/**
 * Cost of the graph machinery: build, match, rewrite, verify, print and parse, per node, at several sizes.
 *
 * The graph is a chain of blocks matmul → add → relu over symbolic batch `N`. Two rules make one `bench.linear` of
 * each block, first of matmul and add, then of that and relu; the operands of add are swapped in every second block.
 *
 *   node tools/bench/graph.mjs [--json] [nodes …]
 */
import { Editor, Graph, attr, parseGraph, printGraph, sourceOrigin, tensor, tensorType, verifyGraph } from '@qfuse/ir';
import { defineOp, opTable } from '@qfuse/ops';
import { any, applyRules, defineRule, op } from '@qfuse/rewrite';

/** Nodes of the graphs that are measured by default. */
const sizes = Object.freeze([1e4, 1e5, 1e6]);

const width = 64;
const same = ({ operands }) => [operands.x];
const reference = ({ operands }) => [operands.x];
const MatMul = defineOp({
  name: 'bench.matmul',
  summary: 'x · weight',
  operands: { x: tensor(), weight: tensor() },
  infer: same,
  reference,
});
const Add = defineOp({
  name: 'bench.add',
  summary: 'x + y',
  operands: { x: tensor(), y: tensor() },
  commutative: ['x', 'y'],
  infer: addShape,
  reference,
});
const Relu = defineOp({ name: 'bench.relu', summary: 'max(x, 0)', operands: { x: tensor() }, infer: same, reference });
const Linear = defineOp({
  name: 'bench.linear',
  summary: 'act(x · weight + bias)',
  operands: { x: tensor(), weight: tensor(), bias: tensor() },
  attrs: { act: attr.oneOf('none', 'relu') },
  infer: same,
  reference,
});
const ops = opTable([MatMul, Add, Relu, Linear]);

function addShape({ operands: { x, y } }) {
  return [x.shape.length >= y.shape.length ? x : y];
}

const fuseBias = defineRule({
  name: 'bench/bias',
  summary: 'matmul and bias become one linear',
  root: op(Add, { x: op(MatMul, { x: any().as('x'), weight: any().as('weight') }), y: any().as('bias') }),
  numerics: 'exact',
  rewrite: ({ x, weight, bias }, b) => b.create(Linear, { x, weight, bias }, { act: 'none' }).result,
});
const fuseRelu = defineRule({
  name: 'bench/relu',
  summary: 'linear and relu become one linear',
  root: op(Relu, { x: op(Linear, { x: any().as('x'), weight: any().as('weight'), bias: any().as('bias') }).as('linear') }),
  numerics: 'exact',
  where: ({ linear }) => (linear.attrs.act === 'none' ? { ok: true } : { ok: false, why: 'the linear has an activation already' }),
  rewrite: ({ x, weight, bias }, b) => b.create(Linear, { x, weight, bias }, { act: 'relu' }).result,
});
const rules = [fuseBias, fuseRelu];

/** As {@link rules}, refused at the very end: what is left is the cost of matching. */
const refusing = rules.map((rule) => Object.freeze({ ...rule, where: () => ({ ok: false, why: 'only matched' }) }));

/** A chain of `nodes / 3` blocks. */
function build(nodes) {
  const graph = new Graph('chain');
  const edit = new Editor(graph);
  const dim = graph.env.declare('N', { min: 1 });
  let x = edit.addInput('x', tensorType('f32', [dim, width]));
  const weight = edit.addInput('weight', tensorType('f32', [width, width]));
  const bias = edit.addInput('bias', tensorType('f32', [width]));
  for (let i = 0; i < Math.round(nodes / 3); i++) {
    edit.origin = sourceOrigin(`block_${i}`);
    const product = edit.create(MatMul, { x, weight }).result;
    const sum = edit.create(Add, i % 2 === 0 ? { x: product, y: bias } : { x: bias, y: product }).result;
    x = edit.create(Relu, { x: sum }).result;
  }
  edit.setOutputs([x]);
  return graph;
}

/**
 * Measures the six tasks at one size. Each is run `repeats` times on a fresh graph and the fastest run counts, since
 * everything else on the machine can only add time.
 * @returns {{task: string, nodes: number, ms: number, nsPerNode: number, stepsPerNode?: number}[]}
 */
function measureGraph(nodes, repeats = nodes >= 1e6 ? 2 : nodes >= 1e5 ? 4 : 20) {
  const fastest = new Map();
  const steps = new Map();
  const time = (task, work) => {
    const start = performance.now();
    const result = work();
    const ms = performance.now() - start;
    fastest.set(task, Math.min(fastest.get(task) ?? Infinity, ms));
    return result;
  };
  for (let i = 0; i < repeats; i++) {
    const graph = time('build', () => build(nodes));
    // The text and what is parsed from it are not kept: a second graph of this size would slow down what follows.
    const parsed = timeText(graph, time);
    if (parsed !== graph.size) throw new Error(`parsing gave ${parsed} of ${graph.size} nodes`);
    const errors = time('verify', () => verifyGraph(graph));
    if (errors.length > 0) throw new Error(`the benchmark's graph is broken: ${errors[0].message}`);
    steps.set('match', time('match', () => applyRules(new Editor(graph), refusing)).steps);
    const blocks = graph.size / 3;
    const report = time('rewrite', () => applyRules(new Editor(graph), rules));
    steps.set('rewrite', report.steps);
    if (report.applied !== 2 * blocks || graph.size !== blocks) throw new Error(`${report.applied} rewrites of ${2 * blocks} were made`);
  }
  const count = 3 * Math.round(nodes / 3);
  return [...fastest].map(([task, ms]) => ({
    task,
    nodes: count,
    ms,
    nsPerNode: (1e6 * ms) / count,
    ...(steps.has(task) ? { stepsPerNode: steps.get(task) / count } : {}),
  }));
}

/** Prints and parses a graph, and returns how many nodes came back. */
function timeText(graph, time) {
  const text = time('print', () => printGraph(graph));
  return time('parse', () => parseGraph(text, { ops: (name) => ops.get(name) })).size;
}

/** The records of {@link measureGraph} at each size, after a warm-up that lets the engine compile the code. */
export function benchGraph(nodes = sizes) {
  measureGraph(nodes[0], 5);
  return nodes.flatMap((n) => measureGraph(n));
}

/** Runs the benchmark as a command. */
function main(args) {
  const json = args.includes('--json');
  const chosen = args.filter((a) => a !== '--json').map(Number);
  const records = benchGraph(chosen.length > 0 ? chosen : undefined);
  if (json) return console.log(JSON.stringify(records, null, 2));
  for (const { task, nodes, ms, nsPerNode, stepsPerNode } of records) {
    const rest = stepsPerNode === undefined ? '' : `  ${stepsPerNode.toFixed(2)} steps/node`;
    console.log(
      `${task.padEnd(8)} ${String(nodes).padStart(8)} nodes  ${ms.toFixed(1).padStart(9)} ms  ${nsPerNode.toFixed(0).padStart(6)} ns/node${rest}`,
    );
  }
}

if (process.argv[1] === import.meta.filename) main(process.argv.slice(2));
