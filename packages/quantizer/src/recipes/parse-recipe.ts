import { type AttrSpec, type AttrValue, describeSpec, QfuseError, type Recipe } from '@qfuse/plugin';
import type { Quantizer } from '../quantizer.js';
import { optionsHelp } from './recipe.js';

/** What {@link parseRecipe} read. */
export interface ParsedRecipe {
  readonly recipe: Recipe;
  /** The options that the text gives. */
  readonly options: Readonly<Record<string, AttrValue>>;
  readonly quantizer: Quantizer;
}

/**
 * Reads `NAME` or `NAME:option=value,option=value`, e.g. `w4:group=64,exclude=lm_head|blocks.0`. An option of truth values may stand without one.
 * @param recipes - by name, e.g. `registry.recipes`
 * @throws QfuseError `quantizer/recipe` for a name that is not there, `quantizer/option` for an option or value that is not
 */
export function parseRecipe(text: string, recipes: ReadonlyMap<string, Recipe>): ParsedRecipe {
  const colon = text.indexOf(':');
  const name = (colon < 0 ? text : text.slice(0, colon)).trim();
  const recipe = recipes.get(name);
  if (recipe === undefined)
    throw new QfuseError('quantizer/recipe', name === '' ? 'no recipe is named' : `there is no recipe "${name}"`, {
      help: recipes.size === 0 ? 'no plugin brings one' : `the recipes are ${[...recipes.keys()].join(', ')}`,
    });
  const options: Record<string, AttrValue> = {};
  const parts = colon < 0 ? [] : text.slice(colon + 1).split(',');
  for (const part of parts.map((p) => p.trim())) {
    const equals = part.indexOf('=');
    const option = (equals < 0 ? part : part.slice(0, equals)).trim();
    const spec = Object.hasOwn(recipe.options, option) ? recipe.options[option] : undefined;
    const fail = (why: string): never => {
      throw new QfuseError('quantizer/option', `recipe ${name}: ${why}`, { help: optionsHelp(recipe.options) });
    };
    if (option === '') return fail(`"${text}" has an option without a name`);
    if (spec === undefined) return fail(`there is no option "${option}"`);
    if (Object.hasOwn(options, option)) return fail(`option "${option}" is given twice`);
    if (equals < 0 && spec.kind !== 'bool') return fail(`option "${option}" has no value, expected ${option}=${describeSpec(spec)}`);
    options[option] = valueOf(spec, equals < 0 ? 'true' : part.slice(equals + 1).trim(), option, fail);
  }
  const quantizer = recipe.create(options) as Partial<Quantizer> | undefined;
  if (typeof quantizer?.annotate !== 'function') throw new Error(`recipe ${name} does not make a quantizer`);
  return { recipe, options, quantizer: quantizer as Quantizer };
}

function valueOf(spec: AttrSpec<unknown>, text: string, option: string, fail: (why: string) => never): AttrValue {
  const refuse = (): never => fail(`option "${option}" is "${text}", expected ${describeSpec(spec)}`);
  switch (spec.kind) {
    case 'bool':
      return text === 'true' || (text === 'false' ? false : refuse());
    case 'int':
    case 'float': {
      const value = text === '' ? Number.NaN : Number(text);
      return Number.isNaN(value) || (spec.kind === 'int' && !Number.isSafeInteger(value)) ? refuse() : value;
    }
    case 'string':
      return spec.oneOf !== undefined && !spec.oneOf.includes(text) ? refuse() : text;
    case 'dtype':
      return text as AttrValue;
    default:
      return fail(`option "${option}" is of kind ${spec.kind}, which cannot be written here`);
  }
}
