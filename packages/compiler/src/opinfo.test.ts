import { Evaluator } from '@qfuse/interp';
import { tensorOf } from '@qfuse/ir';
import { allOps } from '@qfuse/ops';
import { describe, expect, test } from 'vitest';
import { compare, type Outcome, readSamples, type Sample, tryInInterpreter } from '../test/opinfo.js';

/** Samples that are right; to be raised, never lowered. */
const RIGHT = 754;

const samples = readSamples(new URL('../../../fixtures/opinfo.tar.gz', import.meta.url));

describe('operator samples of torch, in the interpreter', () => {
  const evaluator = new Evaluator();
  const outcomes = samples.map((sample) => ({ sample, outcome: tryInInterpreter(sample, evaluator) }));
  const of = <K extends Outcome['kind']>(kind: K) =>
    outcomes.filter((o): o is { sample: Sample; outcome: Extract<Outcome, { kind: K }> } => o.outcome.kind === kind);
  const counts = {
    samples: samples.length,
    right: of('right').length,
    refused: of('refused').length,
    wrong: of('wrong').length,
    defect: of('defect').length,
  };
  console.info('operator samples in the interpreter:', counts);

  test('none is wrong', () => {
    expect(of('wrong').map(({ sample, outcome }) => `${sample.id}: ${outcome.why}`)).toEqual([]);
  });

  test('none shows a defect', () => {
    expect(of('defect').map(({ sample, outcome }) => `${sample.id}: ${String(outcome.error)}`)).toEqual([]);
  });

  test('almost all are right', () => {
    expect(counts.samples).toBe(757);
    expect(counts.right).toBeGreaterThanOrEqual(RIGHT);
  });

  test('each refusal names an operator of the program', () => {
    const unnamed = of('refused').filter(
      ({ sample, outcome }) => !sample.aten.some((name) => outcome.error.message.includes(name.replace(/\.default$/, ''))),
    );
    expect(unnamed.map(({ sample, outcome }) => `${sample.id}: ${outcome.error.message}`)).toEqual([]);
  });
});

test('ops with a reference and a decomposition mean the same by both', () => {
  const decomposed = new Map(allOps.map((op) => [op.name, op.decompose === undefined ? op : { ...op, reference: undefined }]));
  const evaluator = new Evaluator();
  const wrong = samples.flatMap((sample) => {
    const outcome = tryInInterpreter(sample, evaluator, decomposed);
    return outcome.kind === 'wrong' || outcome.kind === 'defect'
      ? [`${sample.id}: ${outcome.kind === 'wrong' ? outcome.why : String(outcome.error)}`]
      : [];
  });
  expect(wrong).toEqual([]);
});

describe('the comparison', () => {
  const expected = (...outputs: Sample['outputs']): Sample => ({
    id: 'x',
    aten: [],
    program: new Uint8Array(),
    inputs: [tensorOf('f32', [1], [8])],
    outputs,
  });

  test('allows for rounding at the size of the inputs', () => {
    const sample = expected(tensorOf('f32', [1], [1]));
    expect(compare([tensorOf('f32', [1], [1 + 7e-6])], sample)).toBeUndefined();
    expect(compare([tensorOf('f32', [1], [1 + 9e-6])], sample)).toContain('output 0, element 0 is 1.0000');
  });

  test('is exact for integers, bools, NaN and infinities', () => {
    for (const [dtype, a, b] of [
      ['i64', 3, 4],
      ['bool', 1, 0],
      ['f32', NaN, 1],
      ['f32', 1, NaN],
      ['f32', Infinity, 1],
      ['f32', Infinity, -Infinity],
    ] as const) {
      expect(compare([tensorOf(dtype, [1], [a])], expected(tensorOf(dtype, [1], [b])))).toContain('output 0, element 0');
      expect(compare([tensorOf(dtype, [1], [a])], expected(tensorOf(dtype, [1], [a])))).toBeUndefined();
    }
  });

  test('looks at dtype, shape and number of outputs', () => {
    expect(compare([tensorOf('i32', [1], [1])], expected(tensorOf('i64', [1], [1])))).toBe('output 0 is i32[1], expected i64[1]');
    expect(compare([tensorOf('f32', [1, 1], [1])], expected(tensorOf('f32', [1], [1])))).toBe('output 0 is f32[1, 1], expected f32[1]');
    expect(compare([], expected(tensorOf('f32', [1], [1])))).toBe('0 outputs, expected 1');
  });
});
