import { readFileSync } from 'node:fs';
import { createRegistry } from '@qfuse/plugin';
import { parseRecipe, quantizer } from '@qfuse/quantizer';
import { expect, test } from 'vitest';
import { graphOf, gridsOf, quantize } from '../test-support.js';
import mixed from './mixed-bits.js';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url)).toString();

test('the README shows the example as it is tested here', () => {
  expect(read('../../README.md')).toContain(`\`src/index.ts\`\n\n\`\`\`ts\n${read('./mixed-bits.ts')}\`\`\`\n`);
});

test('a plugin of a third party brings a recipe with its own quantizer', async () => {
  const registry = createRegistry([quantizer(), mixed()]);
  const graph = graphOf(`graph @main(%x: f32[2, 4]) {
    %a = parameter "a" : f32[32, 4] = splat<0.5>
    %b = parameter "b" : f32[8, 32] = splat<0.25>
    %0 = aten.linear(%x, %a) : f32[2, 32]
    %1 = aten.linear(%0, %b) : f32[2, 8]
    return %1
  }`);
  const grids = async (recipe: string): Promise<readonly string[]> =>
    gridsOf((await quantize(graph, parseRecipe(recipe, registry.recipes).quantizer)).graph);
  expect(await grids('mixed-bits')).toEqual(['dequantize axis 0 -8 7', 'dequantize axis 0 -128 127']);
  expect(await grids('mixed-bits:narrow=4')).toEqual(['dequantize axis 0 -8 7', 'dequantize axis 0 -8 7']);
  expect(registry.ownerOf('recipe', 'mixed-bits')?.name).toBe('mixed-bits');
});
