import type { AnyOp, AttrSpecs, ByteSource, Graph, Node, Verdict } from '@qfuse/ir';
import type { Diagnostic } from './diagnostics.js';
import type { CompilerEmitter } from './events.js';
import type { Pass } from './pass.js';
import type { Property } from './property.js';

/** The version of the plugin contract of this host. */
export const pluginApi = 1;

/** What an importer gets besides the file. */
export interface ImportContext {
  /** The ops of the registry by name: those of qfuse and those that plugins bring. */
  readonly ops: ReadonlyMap<string, AnyOp>;
  /** Takes remarks and warnings about the file. */
  readonly report: (diagnostic: Diagnostic) => void;
}

/** Reads a model file into a graph. */
export interface Importer {
  readonly name: string;
  /** File name endings with their dot, e.g. `.pt2`. */
  readonly extensions: readonly string[];
  /** Whether the first bytes (up to 1024) look like this format. */
  readonly sniff: (head: Uint8Array) => boolean;
  /** Reads the program. @throws QfuseError for a file that is damaged or not supported */
  readonly load: (source: ByteSource, context: ImportContext) => Graph | Promise<Graph>;
}

/**
 * An implementation of an op on a target. Targets add what they need to this record (e.g. `emit` for WebGPU);
 * `op` and `supports` are what decides whether a node can run.
 */
export interface Kernel {
  readonly name: string;
  /** Name of the target, e.g. `webgpu`. */
  readonly target: string;
  readonly op: AnyOp;
  /** Whether this kernel takes `node` on a device described by `device`, and why not. */
  readonly supports: (node: Node, device: any) => Verdict;
}

/**
 * A named way to quantize a float model, e.g. `static-int8`. What `create` gives is a quantizer of `@qfuse/quantizer`, which makes these
 * records with `defineRecipe`.
 */
export interface Recipe {
  /** In lower case with dashes; the name on the command line. */
  readonly name: string;
  readonly summary: string;
  /** Declared with `attr.optional(…, default)`; users write `name:option=value,…`. */
  readonly options: AttrSpecs;
  /** The quantizer for checked options. */
  readonly create: (options: any) => unknown;
}

/** What a plugin package's factory returns: data that tools can list and check without running it. */
export interface Plugin {
  /** The npm name of the package. */
  readonly name: string;
  readonly version: string;
  /** The contract it was written for: 1. */
  readonly api: number;
  readonly ops?: readonly AnyOp[];
  readonly properties?: readonly Property[];
  readonly passes?: readonly Pass[];
  readonly importers?: readonly Importer[];
  readonly kernels?: readonly Kernel[];
  readonly recipes?: readonly Recipe[];
  /** Attaches listeners; they observe and write nothing. */
  readonly observe?: (events: CompilerEmitter) => void;
}

/** Plugins in nested lists; `false`, `null` and `undefined` are skipped, so that entries can be conditional. */
export type PluginInput = Plugin | readonly PluginInput[] | false | null | undefined;

/** Freezes the record of a plugin. */
export const definePlugin = (plugin: Plugin): Plugin => Object.freeze(plugin);

/** The contents of a `qfuse.config.ts`. */
export interface Config {
  readonly plugins: PluginInput;
}

/** Types the contents of a `qfuse.config.ts`. */
export const defineConfig = (config: Config): Config => Object.freeze(config);

/** The plugins of a nested list in order. */
export function flattenPlugins(input: PluginInput): readonly Plugin[] {
  if (input === false || input === null || input === undefined) return [];
  return Array.isArray(input) ? (input as readonly PluginInput[]).flatMap(flattenPlugins) : [input as Plugin];
}

/**
 * A list of plugins with some passes taken out or replaced, by pass name.
 * @throws Error when a name is not a pass of the list
 */
export function override(input: PluginInput, changes: Readonly<Record<string, Pass | false>>): readonly Plugin[] {
  const plugins = flattenPlugins(input);
  const known = new Set(plugins.flatMap((p) => (p.passes ?? []).map((x) => x.name)));
  for (const name of Object.keys(changes))
    if (!known.has(name)) throw new Error(`override: there is no pass "${name}"; the passes are ${[...known].join(', ')}`);
  return plugins.map((p) => {
    if (p.passes === undefined) return p;
    const passes = p.passes.flatMap((x) =>
      Object.hasOwn(changes, x.name) ? (changes[x.name] === false ? [] : [changes[x.name] as Pass]) : [x],
    );
    return Object.freeze({ ...p, passes });
  });
}
