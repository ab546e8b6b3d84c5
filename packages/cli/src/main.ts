import { Command, CommanderError } from 'commander';
import colors from 'picocolors';
import { benchCommand } from './commands/bench.js';
import { compileCommand } from './commands/compile.js';
import { doctorCommand } from './commands/doctor.js';
import { explainCommand } from './commands/explain.js';
import { inspectCommand } from './commands/inspect.js';
import { passesCommand } from './commands/passes.js';
import { planCommand } from './commands/plan.js';
import { quantizeCommand } from './commands/quantize.js';
import { replayCommand } from './commands/replay.js';
import { runCommand } from './commands/run.js';
import { verifyCommand } from './commands/verify.js';
import { exitCodes, failureOf } from './exit.js';
import { sayJson } from './print.js';
import { version } from './version.js';

/** The whole command line. */
export function createProgram(): Command {
  const program = new Command('qfuse')
    .description('Fuses quantized neural networks and runs them on WebGPU.')
    .version(version)
    .addHelpText('after', '\nExit codes: 0 fine, 1 wrong numbers, 2 bad usage or file, 3 not supported, 4 a defect of qfuse.');
  for (const make of [
    compileCommand,
    quantizeCommand,
    runCommand,
    inspectCommand,
    planCommand,
    explainCommand,
    passesCommand,
    verifyCommand,
    benchCommand,
    doctorCommand,
    replayCommand,
  ])
    program.addCommand(make());
  program.exitOverride();
  for (const c of program.commands) c.exitOverride();
  return program;
}

/**
 * Runs the command line and sets the process's exit code; never throws.
 * @param args - arguments without node and script
 */
export async function main(args: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync([...args], { from: 'user' });
  } catch (error) {
    // commander has printed its message already
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? exitCodes.fine : exitCodes.usage;
      if (error.exitCode !== 0 && args.includes('--json'))
        sayJson({ ok: false, error: { code: 'usage', message: error.message.replace(/^error: /, '') }, exitCode: exitCodes.usage });
    } else reportFailure(error, args);
  }
}

function reportFailure(error: unknown, args: readonly string[]): void {
  const failure = failureOf(error, args);
  process.exitCode = failure.exitCode;
  if (args.includes('--json')) {
    const { code, message, help, reproducer } = failure;
    return sayJson({ ok: false, error: { code, message, help, reproducer }, exitCode: failure.exitCode });
  }
  process.stderr.write(`${colors.red('error')} ${failure.message}\n`);
  if (failure.help !== undefined) process.stderr.write(`  ${failure.help}\n`);
  if (failure.reproducer !== undefined) process.stderr.write(`  reproducer: ${failure.reproducer}\n`);
}
