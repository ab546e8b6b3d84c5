import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compileGraph, type Compiled, type CompileOptions, createCompilerRegistry, loadModel, type Model } from '@qfuse/compiler';
import { QfuseError } from '@qfuse/ir';
import type { Config, PluginInput, Registry } from '@qfuse/pass-manager';
import { presetWebGPU } from '@qfuse/preset-webgpu';
import { fileSource } from '@qfuse/compiler/node';

/** Options that every command which handles models has. */
export interface ModelOptions {
  readonly config?: string | undefined;
  readonly pipeline?: string | undefined;
}

const configNames = ['qfuse.config.ts', 'qfuse.config.mts', 'qfuse.config.js', 'qfuse.config.mjs'];

/** The default plugins: the pipeline for WebGPU. */
const defaultPlugins = (): PluginInput => presetWebGPU();

/**
 * The registry of the configuration file, or of the default plugins when there is none.
 * @throws QfuseError `config/…` when the file cannot be loaded or does not export plugins
 */
export async function loadRegistry(options: ModelOptions): Promise<Registry> {
  const named = options.config === undefined ? configNames.find((name) => existsSync(name)) : options.config;
  if (named === undefined) return createCompilerRegistry(defaultPlugins());
  if (!existsSync(named)) throw new QfuseError('config/missing', `${named}: does not exist`);
  const config = await importConfig(resolve(named));
  if (typeof config !== 'object' || config === null || !('plugins' in config))
    throw new QfuseError('config/format', `${named}: its default export has no "plugins"`, {
      help: 'export default defineConfig({ plugins: [presetWebGPU(), …] })',
    });
  return createCompilerRegistry(config.plugins);
}

async function importConfig(path: string): Promise<Config> {
  try {
    if (/\.m?ts$/.test(path)) {
      const { createJiti } = await import('jiti');
      return (await createJiti(import.meta.url).import(path, { default: true })) as Config;
    }
    return ((await import(pathToFileURL(path).href)) as { default: Config }).default;
  } catch (cause) {
    if (cause instanceof QfuseError) throw cause;
    throw new QfuseError('config/load', `${path}: cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Reads a model file. */
export const openModel = (path: string, registry: Registry): Promise<Model> => loadModel(fileSource(path), registry, path);

/** Compiles a model; a `.qfuse` program is compiled already and only goes through again with a pipeline of its own. */
export async function compileModel(model: Model, path: string, registry: Registry, options: CompileOptions): Promise<Compiled> {
  const done = model.info !== undefined && options.pipeline === undefined;
  const compiled = await compileGraph(model.graph, registry, {
    ...options,
    source: path.replace(/^.*[\\/]/, ''),
    ...(done ? { pipeline: '' } : {}),
  });
  return model.info === undefined ? compiled : { ...compiled, info: done ? model.info : { ...compiled.info, before: model.info.before } };
}
