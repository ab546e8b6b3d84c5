import { attr } from '@qfuse/plugin';
import type { QuantizationScopes } from '../quantizers/scoped.js';

/** Options with which all recipes say where they apply: patterns of modules, joined by `|`. */
export const scopeOptions = {
  /** Modules to quantize; empty means all. */
  include: attr.optional(attr.string(), ''),
  /** Modules to leave float. */
  exclude: attr.optional(attr.string(), ''),
} as const;

const patterns = (text: string): readonly string[] =>
  text
    .split('|')
    .map((p) => p.trim())
    .filter((p) => p !== '');

/** The scopes that values of {@link scopeOptions} mean. */
export const scopesOf = ({ include, exclude }: { readonly include: string; readonly exclude: string }): QuantizationScopes => ({
  include: patterns(include).length === 0 ? undefined : patterns(include),
  exclude: patterns(exclude),
});

/** Input channels of a group: 0 means all. */
export const groupOption = attr.optional(attr.int({ min: 0 }), 32);

/** How integers lie around 0. */
export const mappingOption = attr.optional(attr.oneOf('symmetric', 'asymmetric', 'symmetric-no-clipping'), 'symmetric');
