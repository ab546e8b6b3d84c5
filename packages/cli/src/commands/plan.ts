import type { Command } from 'commander';
import { planOf } from '@qfuse/compiler';
import { explainPlan, pipelineText } from '@qfuse/pass-manager';
import { say, sayJson } from '../print.js';
import { describeOnDevice } from '../device-plan.js';
import { compileModel, loadRegistry, openModel } from '../session.js';
import { command, type CommonOptions, withPipeline } from './shared.js';

interface PlanOptions extends CommonOptions {
  readonly adapter?: string;
}

/** `qfuse plan`: the order of the passes with its reasons; with a model also the dispatches and memory on the device. */
export const planCommand = (): Command =>
  withPipeline(
    command('plan', 'show the order of the passes and why; with a model also its dispatches and memory', [
      'plan',
      'plan --json',
      'plan model.pt2',
    ]),
  )
    .argument('[model]', 'a .pt2 or .qfuse file')
    .option(
      '--adapter <adapter>',
      'plan for this adapter: "software", "native", or a part of a name (default: what every WebGPU device offers)',
    )
    .action(async (model: string | undefined, options: PlanOptions) => {
      const registry = await loadRegistry(options);
      const plan = planOf(registry, options.pipeline);
      const device =
        model === undefined
          ? undefined
          : await describeOnDevice(
              (await compileModel(await openModel(model, registry), model, registry, options)).graph,
              registry,
              options.adapter,
            );
      if (options.json === true)
        return sayJson({
          pipeline: pipelineText(plan.passes),
          passes: plan.passes.map((p) => ({
            name: p.name,
            phase: p.phase,
            summary: p.summary,
            requires: p.requires.map((r) => r.name),
            provides: p.provides.map((r) => r.name),
          })),
          edges: plan.edges,
          ...(device === undefined ? {} : { device: { adapter: device.adapter, plan: device.plan } }),
        });
      say(explainPlan(plan));
      say(`\n${pipelineText(plan.passes)}`);
      if (device !== undefined) say(`\n${device.text}`);
    });
