import { createRegistry } from '@qfuse/plugin';
import { expect, test } from 'vitest';
import { quantizer } from './plugin.js';
import { linearProducts } from './properties.js';
import { graphOf } from './test-support.js';

const verdict = (body: string): unknown => {
  const v = linearProducts.check(
    graphOf(
      `graph @main(%x: f32[2, 4], %y: f32[4, 3]) {\n%w = parameter "w" : f32[4, 3] = splat<1.0>\n%n = parameter "n" : f32[3, 4] = splat<1.0>\n${body}\nreturn %r\n}`,
    ),
  );
  return v.ok ? 'holds' : v.why;
};

test.each([
  ['%r = aten.linear(%x, %n) : f32[2, 3]', 'holds'],
  ['%r = aten.mm(%x, %y) : f32[2, 3]', 'holds'],
  ['%r = aten.mm(%x, %w) : f32[2, 3] loc("mm" in "fc")', 'aten.mm at "mm" (fc) has the constant "w" as its matrix'],
  ['%r = aten.matmul(%x, %w) : f32[2, 3] loc("matmul")', 'aten.matmul at "matmul" has the constant "w" as its matrix'],
  [
    '%0 = aten.permute(%n) {dims = [1, 0]} : f32[4, 3]\n%r = aten.mm(%x, %0) : f32[2, 3] loc("mm")',
    'aten.mm at "mm" has the constant "n" as its matrix',
  ],
  [
    '%0 = aten.permute(%w) {dims = [1, 0]} : f32[3, 4]\n%r = aten.linear(%x, %0) : f32[2, 3] loc("l")',
    'aten.linear at "l" has the constant "w" as its matrix',
  ],
])('%s', (body, expected) => expect(verdict(body)).toBe(expected));

test('the plugin brings recipes and the property', () => {
  const registry = createRegistry(quantizer());
  expect(registry.recipes.size).toBe(6);
  expect(registry.ownerOf('property', 'linear-products')?.name).toBe('@qfuse/quantizer');
});
