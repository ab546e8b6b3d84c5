import { definePlugin, type Plugin } from '@qfuse/plugin';
import { linearProducts } from './properties.js';
import { recipes } from './recipes/recipes.js';

/** The plugin that brings the recipes of this package. */
export const quantizer = (): Plugin =>
  definePlugin({ name: '@qfuse/quantizer', version: '0.1.0', api: 1, recipes, properties: [linearProducts] });
