import type { Command } from 'commander';
import { attrText, describeSpec } from '@qfuse/ir';
import { say, sayJson, tableText } from '../print.js';
import { loadRegistry } from '../session.js';
import { command, type CommonOptions } from './shared.js';

/** `qfuse passes`: the passes and recipes that are installed. */
export const passesCommand = (): Command =>
  command('passes', 'list the passes and the recipes of quantization with their packages and options', [
    'passes',
    'passes --json',
    'passes --config my.config.ts',
  ])
    .option('--config <file>', 'configuration file with plugins')
    .action(async (options: CommonOptions) => {
      const registry = await loadRegistry(options);
      const passes = [...registry.passes.values()].map((p) => {
        const owner = registry.ownerOf('pass', p.name)!;
        return {
          name: p.name,
          package: owner.name,
          version: owner.version,
          phase: p.phase,
          summary: p.summary,
          rules: (p.rules ?? []).map((r) => ({ name: r.name, summary: r.summary, numerics: r.numerics })),
          options: Object.entries(p.optionSpecs).map(([name, spec]) => ({
            name,
            type: describeSpec(spec),
            value: attrText(spec, p.options[name]),
          })),
        };
      });
      const recipes = [...registry.recipes.values()].map((r) => ({
        name: r.name,
        package: registry.ownerOf('recipe', r.name)!.name,
        summary: r.summary,
        options: Object.entries(r.options).map(([name, spec]) => ({ name, type: describeSpec(spec), value: attrText(spec, spec.default) })),
      }));
      if (options.json === true) return sayJson({ passes, recipes });
      say(
        tableText(
          ['pass', 'phase', 'package', 'what it does'],
          passes.map((p) => [p.name, p.phase, `${p.package}@${p.version}`, p.summary]),
        ),
      );
      for (const p of passes) for (const o of p.options) say(`option of ${p.name}: ${o.name} (${o.type}) = ${o.value}`);
      say('');
      say(
        tableText(
          ['recipe', 'options', 'what it does'],
          recipes.map((r) => [r.name, r.options.map((o) => `${o.name}=${o.value}`).join('\n'), r.summary]),
        ),
      );
    });
