import { type AttrsIn, type AttrsOf, type AttrSpecs, internAttrs, QfuseError, type Recipe } from '@qfuse/plugin';
import { blaming, type Quantizer } from '../quantizer.js';

/** A recipe of this package: a named way to make a quantizer. */
export interface QuantizationRecipe<O extends AttrSpecs = AttrSpecs> extends Recipe {
  readonly options: O;
  /** Whether scales follow from calibration data, with the default options. A prepared model says it for sure. */
  readonly needsCalibration: boolean;
  readonly create: (options?: AttrsIn<O>) => Quantizer;
}

/** What {@link defineRecipe} takes. */
export interface RecipeInit<O extends AttrSpecs> {
  /** In lower case with dashes; the name on the command line. */
  readonly name: string;
  readonly summary: string;
  /** Declared with `attr.optional(…, default)`. Patterns of modules are joined by `|`. */
  readonly options?: O;
  /** Default false. */
  readonly needsCalibration?: boolean;
  /** The quantizer for checked options, with defaults filled in. @throws QfuseError `quantizer/option` for values that its kind allows and it does not */
  readonly create: (options: AttrsOf<O>) => Quantizer;
}

/**
 * Defines a recipe, for a plugin's `recipes`.
 * @throws Error when the name is not in lower case with dashes or an option has no default
 */
export function defineRecipe<const O extends AttrSpecs = {}>(init: RecipeInit<O>): QuantizationRecipe<O> {
  const { name, summary, needsCalibration = false } = init;
  const options = (init.options ?? {}) as O;
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) throw new Error(`"${name}" is not a recipe name: expected lower case, digits and dashes`);
  for (const [option, spec] of Object.entries(options))
    if (!spec.optional) throw new Error(`recipe ${name}: option "${option}" needs a default`);
  const create = (given: AttrsIn<O> = {} as AttrsIn<O>): Quantizer => {
    const values = checked(name, options, given) as AttrsOf<O>;
    return blaming(`recipe ${name}`, () => init.create(values));
  };
  return Object.freeze({ name, summary, needsCalibration, options, create });
}

function checked(recipe: string, specs: AttrSpecs, given: object): object {
  try {
    return internAttrs(specs, Object.keys(specs), given as never);
  } catch (cause) {
    if (!(cause instanceof QfuseError)) throw cause;
    throw new QfuseError('quantizer/option', `recipe ${recipe}: ${cause.message.replace('attribute', 'option')}`, {
      cause,
      help: optionsHelp(specs),
    });
  }
}

/** A sentence that lists the options of a recipe. */
export function optionsHelp(specs: AttrSpecs): string {
  const names = Object.keys(specs);
  return names.length === 0 ? 'it has no options' : `its options are ${names.join(', ')}`;
}
