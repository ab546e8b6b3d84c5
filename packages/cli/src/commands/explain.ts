import type { Command } from 'commander';
import { explainStays } from '@qfuse/compiler';
import { QfuseError } from '@qfuse/ir';
import { say, sayJson } from '../print.js';
import { compileModel, loadRegistry, openModel } from '../session.js';
import { command, type CommonOptions, withPipeline } from './shared.js';

interface ExplainOptions extends CommonOptions {
  readonly at?: string;
}

/** `qfuse explain`: why each quantize or dequantize that stays does so. */
export const explainCommand = (): Command =>
  withPipeline(
    command('explain', 'say for every quantize and dequantize that stays why it stays', [
      'explain model.pt2',
      'explain model.pt2 --at linear_3',
      'explain model.pt2 --json',
    ]),
  )
    .argument('<model>', 'a .pt2 file')
    .option('--at <name>', 'also list every rule that was tried at the source node of this name')
    .action(async (model: string, options: ExplainOptions) => {
      const registry = await loadRegistry(options);
      const opened = await openModel(model, registry);
      // A .qfuse program is explained by trying the rules on what is in it.
      const pipeline = options.pipeline ?? (opened.info === undefined ? undefined : opened.info.pipeline);
      const { graph, report } = await compileModel(opened, model, registry, { pipeline, recordRules: true });
      const stays = explainStays(graph, report);
      const applied: Record<string, number> = {};
      for (const r of report.rules) if (r.applied) applied[r.rule] = (applied[r.rule] ?? 0) + 1;
      const tried =
        options.at === undefined
          ? []
          : report.rules.filter((r) => r.at.includes(JSON.stringify(options.at))).sort((a, b) => b.depth - a.depth);
      if (options.at !== undefined && tried.length === 0)
        throw new QfuseError('explain/at', `no rule was tried at a node "${options.at}"`, {
          help: 'give the name of a source node as it stands in the messages, e.g. "linear_3"; "qfuse inspect --text --before" shows the program',
        });
      if (options.json === true)
        return sayJson({
          applied,
          stays,
          ...(options.at === undefined
            ? {}
            : { tried: tried.map(({ pass, rule, at, applied: done, why, depth }) => ({ pass, rule, at, applied: done, why, depth })) }),
        });
      for (const [rule, count] of Object.entries(applied)) say(`applied ${rule}: ${count}`);
      say(stays.length === 0 ? 'no quantize or dequantize stays' : `${stays.length} stay:`);
      for (const s of stays) say(`  ${s.op} at ${s.at}\n    ${s.rule === undefined ? '' : `${s.rule}: `}${s.why}`);
      for (const t of tried) say(`  ${t.applied ? 'applied' : 'refused'} ${t.rule} at ${t.at}${t.why === '' ? '' : `: ${t.why}`}`);
    });
