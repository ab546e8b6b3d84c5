import type { Command } from 'commander';
import { diagnose } from '@qfuse/device-node';
import { mark, say, sayJson } from '../print.js';
import { loadRegistry } from '../session.js';
import { command, type CommonOptions } from './shared.js';

/** `qfuse doctor`: what this machine offers, and what is missing. */
export const doctorCommand = (): Command =>
  command('doctor', 'check what this machine offers: Node, GPU, drivers, plugins', ['doctor', 'doctor --json'])
    .option('--config <file>', 'configuration file with plugins')
    .action(async (options: CommonOptions) => {
      const registry = await loadRegistry(options);
      const device = await diagnose();
      const result = { node: process.version, platform: `${process.platform}-${process.arch}`, plugins: registry.plugins.map((p) => `${p.name}@${p.version}`), device };
      if (options.json === true) return sayJson(result);
      say(`node ${result.node} on ${result.platform}`);
      for (const step of device.steps) say(`${mark(step.ok)} ${step.what}${step.hint === undefined ? '' : `\n   ${step.hint}`}`);
      say(`plugins: ${result.plugins.join(', ')}`);
    });
