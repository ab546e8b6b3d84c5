import { presetWebGPU } from '@qfuse/preset-webgpu';
import { describe, expect, test } from 'vitest';
import { canonicalText, fixture, hasFixture, type ParityCase, quantizedHere, quantizedThere } from '../test/parity.js';
import { createCompilerRegistry, histogram } from './index.js';

// The same float program quantized here and by torch or torchao: the same graph after the passes, with the same integers, scales and zero points.
const registry = createCompilerRegistry(presetWebGPU());

const vulkan = { quantizer: 'vulkan' };
const xnnpack = { quantizer: 'xnnpack', isPerChannel: true };
const intx = { quantizer: 'intx' };

/** How export_cases.py and hf_cases.py quantized; the first pattern that fits a name counts. */
const recipes: readonly (readonly [RegExp, ParityCase['how']])[] = [
  [/^linear_qcs4w|^digits_mlp_qcs4w/, { ...vulkan, weightBits: 4 }],
  [/^mlp_dyn8/, { ...vulkan, isDynamic: true }],
  [/^linear_qcs8w|^mlp_qcs8w|^digits_mlp_qcs8w|_w8(_dyn)?$/, vulkan],
  [/q8ta/, xnnpack],
  [/8da4w|^dq8ca_q4gsw_g32/, { ...intx, isDynamic: true }],
  [/^embedding_q4gsw_g32/, { ...intx, embedding: true }],
  [/^q4gsw_g64/, { ...intx, groupSize: 64 }],
  [/^q4gsw_g32/, intx],
];

const names = (JSON.parse(fixture('pt2/cases.json').toString()) as { readonly name: string }[])
  .map((c) => c.name)
  .filter((name) => hasFixture(`pt2/${name}.float.pt2`));
const howOf = (name: string): ParityCase['how'] | undefined => recipes.find(([pattern]) => pattern.test(name))?.[1];
const shipped = names.flatMap((name): readonly ParityCase[] => {
  const how = howOf(name);
  return how === undefined ? [] : [{ name, how, exact: true, folder: 'pt2' }];
});
const own = (JSON.parse(fixture('quantizer/cases.json').toString()) as Omit<ParityCase, 'folder'>[]).map((c) => ({
  ...c,
  folder: 'quantizer',
}));

test('every float program of the fixtures is compared', () => {
  expect(names.filter((name) => howOf(name) === undefined)).toEqual([]);
  expect(shipped.length).toBeGreaterThanOrEqual(27);
  expect(own.length).toBeGreaterThanOrEqual(17);
});

describe.each([...shipped, ...own])('$name', (parity) => {
  // Nothing of GPT-2's conv1d is called linear in the program as it is imported, and torch quantizes linears only.
  const ways = parity.name === 'hf_gpt2_w8' ? [false] : [false, true];
  test.each(ways)('equals what torch made of it (normalized first: %s)', async (normalized) => {
    const [here, there] = [await quantizedHere(parity, registry, normalized), await quantizedThere(parity, registry)];
    // Sums of up to 32 products in another order lose 5 of the 24 bits of f32: five decimal digits are left.
    const digits = parity.exact === true ? undefined : 5;
    expect(canonicalText(here, digits)).toBe(canonicalText(there, digits));
    expect(histogram(here)).toEqual(histogram(there));
  });
});

test('the products of GPT-2 are all quantized once the program is in canonical form', async () => {
  const gpt2 = shipped.find((c) => c.name === 'hf_gpt2_w8')!;
  const [here, there] = [await quantizedHere(gpt2, registry, true), await quantizedThere(gpt2, registry)];
  expect(histogram(there)).toMatchObject({ 'fused.linear_qcs8w': 1, 'aten.linear': 8 });
  const ops = histogram(here);
  expect([ops['fused.linear_qcs8w'], ops['aten.linear'], ops['quant.dequantize']]).toEqual([9, undefined, undefined]);
});
