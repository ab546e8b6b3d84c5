import { Constant, Editor, printGraph, QfuseError, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import {
  type CompilerEvents,
  createEmitter,
  createPlan,
  defineAnalysis,
  defineDiagnostics,
  definePass,
  definePlugin,
  defineProperty,
  type Pass,
  parseReproducer,
  PassFailure,
  runPlan,
  type RunPlanOptions,
} from './index.js';
import { Abs, doubleNeg, Neg, parse } from './test-support.js';

const text = `graph @main(%x: f32[2]) {
  %0 = test.neg(%x) : f32[2]
  %1 = test.neg(%0) : f32[2]
  %2 = test.abs(%1) : f32[2]
  return %2
}
`;
const fuse = definePass({ name: 'fuse', summary: 'double negations', phase: 'fuse', rules: [doubleNeg] });
const code = (name: string, run: Pass['run'], more: object = {}) =>
  definePass({ name, summary: name, phase: 'fuse', run, ...more } as never);
const run = (graph: ReturnType<typeof parse>, passes: readonly Pass[], options?: RunPlanOptions) =>
  runPlan(graph, createPlan(passes), options);

test('a rule pass rewrites, reports and emits', async () => {
  const graph = parse(text);
  const events = createEmitter();
  const seen: string[] = [];
  for (const name of ['pipeline:start', 'pass:start', 'rule:apply', 'pass:end', 'pipeline:end'] as const)
    events.on(name, (() => seen.push(name)) as CompilerEvents[typeof name]);
  const report = await run(graph, [fuse], { events });
  expect(printGraph(graph)).toBe('graph @main(%x: f32[2]) {\n  %0 = test.abs(%x) : f32[2]\n  return %0\n}\n');
  expect(report.passes).toMatchObject([
    { pass: 'fuse', phase: 'fuse', outcome: { changed: true, stats: { 'test/double-neg': 1 } }, nodesBefore: 3, nodesAfter: 1 },
  ]);
  expect(seen).toEqual(['pipeline:start', 'pass:start', 'rule:apply', 'pass:end', 'pipeline:end']);
});

test('refusals are recorded on request, with rule, place and reason', async () => {
  const graph = parse(text.replace('return %2', 'return %2, %0'));
  const { rules } = await run(graph, [fuse], { recordRules: true });
  expect(rules).toMatchObject([
    { pass: 'fuse', rule: 'test/double-neg', applied: false, why: 'test.neg has 2 readers', depth: 2 },
    { rule: 'test/double-neg', applied: false },
  ]);
});

describe('a failing pass', () => {
  const broken = code('broken', ({ graph, edit }) => {
    edit.create(Abs, { x: graph.inputs[0] } as never);
    throw new Error('no idea');
  });

  test('leaves the graph as it was and writes a reproducer of the rest of the pipeline', async () => {
    const graph = parse(text);
    const error = (await run(graph, [broken, fuse], { plugins: [definePlugin({ name: 'p', version: '1.0.0', api: 1 })] }).catch(
      (e: unknown) => e,
    )) as PassFailure;
    expect(error).toBeInstanceOf(PassFailure);
    expect(error.message).toBe('pass broken failed: no idea');
    expect(printGraph(graph)).toBe(text);
    const { pipeline, plugins, graph: kept, error: message } = parseReproducer(error.reproducer);
    expect(pipeline).toBe('fuse(broken, fuse)');
    expect(plugins).toEqual(['p@1.0.0']);
    expect(message).toBe('no idea');
    expect(printGraph(parse(kept))).toBe(text);
  });

  test('small constants travel with the reproducer', async () => {
    const graph = parse('graph @main() {\n  return\n}\n');
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => i);
    const data = new Editor(graph).addConstant('data', 'parameter', Constant.of(tensorType('u8', [64]), bytes));
    new Editor(graph).setOutputs([data]);
    const fails = code('fails', () => {
      throw new Error('always');
    });
    const error = (await run(graph, [fails]).catch((e: unknown) => e)) as PassFailure;
    expect(parseReproducer(error.reproducer).data).toEqual(new Map([[graph.constants[0]!.constant.key, bytes]]));
  });

  test('a text that is no reproducer is refused', () => {
    expect(() => parseReproducer('graph @main() {}')).toThrow('not a reproducer');
  });
});

describe('promises are checked', () => {
  test('a pass that says it changed nothing but wrote', async () => {
    const liar = code('liar', ({ graph, edit }) => {
      edit.create(Abs, { x: graph.inputs[0] } as never);
      return { changed: false };
    });
    await expect(run(parse(text), [liar])).rejects.toThrow('pass liar says that it changed nothing, but it wrote 1 times');
  });

  test('a property that is provided but does not hold, with verify: each', async () => {
    const noNeg = defineProperty({
      name: 'no-neg',
      summary: 'no negations',
      check: (g) => ([...g.nodes()].some((n) => n.op === Neg) ? { ok: false, why: 'there is a test.neg' } : { ok: true }),
    });
    const promise = code('promise', () => ({ changed: false }), { provides: [noNeg] });
    await expect(run(parse(text), [promise], { verify: 'each' })).rejects.toThrow(
      'after pass promise the property "no-neg" does not hold: there is a test.neg',
    );
    await expect(run(parse(text), [promise])).resolves.toBeDefined();
  });
});

test('an error diagnostic stops the pipeline with its code', async () => {
  const say = defineDiagnostics('check', { bad: { severity: 'error', text: (d: { n: number }) => `${d.n} is bad`, help: 'use another' } });
  const checking = code('checking', ({ report, graph }) => {
    report(say.bad({ n: 3 }, [...graph.nodes()][0]!));
    return { changed: false };
  });
  const error = (await run(parse(text), [checking, fuse]).catch((e: unknown) => e)) as QfuseError;
  expect(error).toBeInstanceOf(QfuseError);
  expect([error.code, error.help]).toEqual(['check/bad', 'use another']);
  expect(error.message).toContain('error check/bad: 3 is bad');
});

test('analyses are kept until the graph changes, or longer for a pass that keeps them', async () => {
  let computed = 0;
  const size = defineAnalysis({ name: 'size', compute: (g) => (computed++, g.size) });
  const ask = (name: string) => code(name, ({ analysis }) => (analysis(size), { changed: false }));
  await run(parse(text), [ask('one'), ask('two')]);
  expect(computed).toBe(1);
  await run(parse(text), [ask('one'), { ...fuse, name: 'fuse' }, ask('two')]);
  expect(computed).toBe(3);
  const keeping = definePass({ name: 'keeping', summary: '', phase: 'fuse', rules: [doubleNeg], keeps: [size] });
  await run(parse(text), [ask('one'), keeping, ask('two')]);
  expect(computed).toBe(4);
});

test('an aborted run stops between passes', async () => {
  const control = new AbortController();
  const stop = code('stop', () => {
    control.abort(new Error('enough'));
    return { changed: false };
  });
  await expect(run(parse(text), [stop, fuse], { signal: control.signal })).rejects.toThrow('enough');
});
