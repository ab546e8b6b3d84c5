import { type AnyOp, QfuseError } from '@qfuse/ir';
import type { Pass } from './pass.js';
import { flattenPlugins, type Importer, type Kernel, type Plugin, pluginApi, type PluginInput, type Recipe } from './plugin.js';

/** What a list of plugins offers together: checked, flat, frozen. A value; two registries do not see each other. */
export interface Registry {
  readonly plugins: readonly Plugin[];
  readonly ops: ReadonlyMap<string, AnyOp>;
  readonly passes: ReadonlyMap<string, Pass>;
  readonly importers: readonly Importer[];
  readonly kernels: readonly Kernel[];
  readonly recipes: ReadonlyMap<string, Recipe>;
  /** The plugin that brings a thing, e.g. `ownerOf('pass', 'cse')`. */
  readonly ownerOf: (kind: 'op' | 'pass' | 'property' | 'importer' | 'kernel' | 'recipe' | 'rule', name: string) => Plugin | undefined;
}

/**
 * Checks and joins plugins. The same plugin record given twice counts once; two plugins that claim one name are
 * an error that names both.
 * @throws QfuseError `registry/duplicate` or `registry/api`
 */
export function createRegistry(input: PluginInput): Registry {
  const plugins = [...new Set(flattenPlugins(input))];
  const owners = new Map<string, { readonly plugin: Plugin; readonly thing: unknown }>();
  const claim = (kind: string, name: string, thing: unknown, plugin: Plugin): void => {
    const key = `${kind} ${name}`;
    const first = owners.get(key);
    // Two plugins may bring the same op object, e.g. from a shared ops package; two passes of a plugin the same rule.
    const same = first?.thing === thing && (kind === 'op' || (kind === 'rule' && first?.plugin === plugin));
    if (first !== undefined && !same)
      throw new QfuseError('registry/duplicate', `${kind} "${name}" is brought by ${label(first.plugin)} and by ${label(plugin)}`, {
        help:
          first.plugin.name === plugin.name
            ? 'the plugin is listed twice, or two copies of the package are installed'
            : 'leave one of the two out',
      });
    owners.set(key, { plugin, thing });
  };
  for (const p of plugins) {
    if (p.api !== pluginApi)
      throw new QfuseError('registry/api', `${label(p)} is written for plugin api ${p.api}, this qfuse has api ${pluginApi}`, {
        help: `install a version of ${p.name} for api ${pluginApi}`,
      });
    claim('plugin', p.name, p, p);
    for (const op of p.ops ?? []) claim('op', op.name, op, p);
    for (const property of p.properties ?? []) claim('property', property.name, property, p);
    for (const pass of p.passes ?? []) {
      claim('pass', pass.name, pass, p);
      for (const rule of pass.rules ?? []) claim('rule', rule.name, rule, p);
    }
    for (const importer of p.importers ?? []) claim('importer', importer.name, importer, p);
    for (const recipe of p.recipes ?? []) claim('recipe', recipe.name, recipe, p);
    for (const kernel of p.kernels ?? []) claim('kernel', `${kernel.target} ${kernel.name}`, kernel, p);
  }
  const all = <T>(pick: (p: Plugin) => readonly T[] | undefined): readonly T[] => Object.freeze(plugins.flatMap((p) => pick(p) ?? []));
  return Object.freeze({
    plugins: Object.freeze(plugins),
    ops: new Map(all((p) => p.ops).map((op) => [op.name, op])),
    passes: new Map(all((p) => p.passes).map((pass) => [pass.name, pass])),
    importers: all((p) => p.importers),
    kernels: all((p) => p.kernels),
    recipes: new Map(all((p) => p.recipes).map((recipe) => [recipe.name, recipe])),
    ownerOf: (kind: string, name: string) => owners.get(`${kind} ${name}`)?.plugin,
  });
}

const label = (p: Plugin): string => `${p.name}@${p.version}`;
