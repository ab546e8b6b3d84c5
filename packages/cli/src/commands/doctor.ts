import type { Command } from 'commander';
import { diagnose } from '@qfuse/device-node';
import { exitCodes } from '../exit.js';
import { say, sayJson } from '../print.js';
import { loadRegistry } from '../session.js';
import { command, type CommonOptions } from './shared.js';

/** `qfuse doctor`: what this machine offers, and what is missing. */
export const doctorCommand = (): Command =>
  command('doctor', 'check what this machine offers: Node, GPU, drivers, plugins', ['doctor', 'doctor --json'])
    .option('--config <file>', 'configuration file with plugins')
    .action(async (options: CommonOptions) => {
      const registry = await loadRegistry(options);
      const device = await diagnose();
      const result = {
        node: process.version,
        platform: `${process.platform}-${process.arch}`,
        plugins: registry.plugins.map((p) => `${p.name}@${p.version}`),
        device,
      };
      if (options.json === true) return sayJson(result);
      say(`node ${result.node} on ${result.platform}`);
      for (const { id, status, detail, help } of device.steps)
        say(`${status.padEnd(6)} ${id}: ${detail.replaceAll('\n', '\n         ')}${help === undefined ? '' : `\n         → ${help}`}`);
      say(device.adapter === undefined ? 'no WebGPU device can be opened' : `programs run on ${device.adapter.name}`);
      if (!device.ok) process.exitCode = exitCodes.wrong;
      say(`plugins: ${result.plugins.join(', ')}`);
    });
