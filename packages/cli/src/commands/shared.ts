import { Command, InvalidArgumentError, Option } from 'commander';
import type { ModelOptions } from '../session.js';

/** Options that every command has. */
export interface CommonOptions extends ModelOptions {
  readonly json?: boolean;
}

/** A command with `--json`, and its examples under `--help`. */
export function command(name: string, summary: string, examples: readonly string[]): Command {
  return new Command(name)
    .description(summary)
    .option('--json', 'print one JSON document for programs')
    .addHelpText('after', `\nExamples:\n${examples.map((e) => `  $ qfuse ${e}`).join('\n')}`);
}

/** Options of commands that compile. */
export const withPipeline = (c: Command): Command =>
  c
    .option('--config <file>', 'configuration file with plugins (default: qfuse.config.{ts,mts,js,mjs} in this folder)')
    .option('--pipeline <text>', 'passes to run instead of the default ones, e.g. "fuse(fuse-linear-qcsnw)"');

/** Options of commands that run programs. */
export const withDevice = (c: Command): Command =>
  c
    .addOption(new Option('--device <device>', 'where to run').choices(['webgpu', 'reference']).default('webgpu'))
    .option('--adapter <adapter>', '"software", "native", or a part of an adapter\'s name');

/** A number that is at least 0. */
export function nonNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0)) throw new InvalidArgumentError('expected a number that is at least 0');
  return value;
}

/** A whole number from 1. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number from 1');
  return value;
}
