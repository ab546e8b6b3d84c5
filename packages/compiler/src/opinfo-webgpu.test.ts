import { requestDevice } from '@qfuse/device-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Outcome, readSamples, type Sample, tryOnDevice } from '../test/opinfo.js';

/** Samples that are right; to be raised, never lowered. */
const RIGHT = 684;

/** Why a sample does not run on the device. Anything else is a defect. */
const reasons: readonly (readonly [name: string, code: string, message: RegExp])[] = [
  ['no kernel and no decomposition', 'webgpu/unsupported', /: there is no kernel for this op$/],
  ['a dtype that WebGPU does not have', 'webgpu/unsupported', /: (f64|f16|bf16|c64|c128|i16|u16|u64) values are not supported: /],
  ['an integer beyond 32 bits', 'webgpu/value-range', /within ±2\^31/],
  ['an operator that the importer refuses', 'pt2/unsupported-op', /operators? (is|are) not supported/],
];

const reasonOf = (error: { readonly code: string; readonly message: string }): string | undefined =>
  reasons.find(([, code, message]) => code === error.code && error.message.split('\n').some((line) => message.test(line)))?.[0];

const samples = readSamples(new URL('../../../fixtures/opinfo.tar.gz', import.meta.url));

describe('operator samples of torch, on the software adapter', () => {
  const outcomes: { readonly sample: Sample; readonly outcome: Outcome }[] = [];
  const of = <K extends Outcome['kind']>(kind: K) =>
    outcomes.filter((o): o is { sample: Sample; outcome: Extract<Outcome, { kind: K }> } => o.outcome.kind === kind);

  let close: (() => void) | undefined;
  beforeAll(async () => {
    const opened = await requestDevice({ adapter: 'software' });
    close = () => opened.destroy();
    for (const sample of samples) outcomes.push({ sample, outcome: await opened.guard(tryOnDevice(sample, opened.device)) });
    const refused = reasons.map(([name]) => [name, of('refused').filter(({ outcome }) => reasonOf(outcome.error) === name).length]);
    console.info('operator samples on WebGPU:', { samples: samples.length, right: of('right').length, ...Object.fromEntries(refused) });
  });
  afterAll(() => close?.());

  test('none is wrong', () => {
    expect(of('wrong').map(({ sample, outcome }) => `${sample.id}: ${outcome.why}`)).toEqual([]);
  });

  test('none shows a defect', () => {
    expect(of('defect').map(({ sample, outcome }) => `${sample.id}: ${String(outcome.error)}`)).toEqual([]);
  });

  test('those whose ops have kernels run, but for what the device cannot hold', () => {
    const other = of('refused').filter(({ outcome }) => reasonOf(outcome.error) === undefined);
    expect(other.map(({ sample, outcome }) => `${sample.id}: ${outcome.error.code}: ${outcome.error.message}`)).toEqual([]);
  });

  test('no fewer are right than before', () => {
    expect(outcomes).toHaveLength(757);
    expect(of('right').length).toBeGreaterThanOrEqual(RIGHT);
  });
});
