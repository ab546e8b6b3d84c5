import { Listr } from 'listr2';

/** One step of a command, shown while it runs. */
export interface Step<C> {
  readonly title: string;
  /** `note` adds what came of it to the title. */
  readonly run: (context: C, note: (text: string) => void) => Promise<void> | void;
}

/** Runs steps in order and shows them: a spinner on a terminal, plain lines otherwise, nothing when `quiet` (as with `--json`). */
export async function runSteps<C extends object>(context: C, steps: readonly Step<C>[], quiet: boolean): Promise<C> {
  const tasks = steps.map(({ title, run }) => ({
    title,
    task: (c: C, task: { title: string }): Promise<void> | void =>
      run(c, (text) => {
        task.title = `${title}: ${text}`;
      }),
  }));
  // Errors are reported once, by the command's own handler.
  const list = new Listr<C, 'default' | 'silent', 'simple' | 'silent'>(
    tasks as never,
    quiet
      ? { renderer: 'silent', fallbackRenderer: 'silent' }
      : { renderer: 'default', fallbackRenderer: 'simple', rendererOptions: { showErrorMessage: false, collapseErrors: false } },
  );
  return await list.run(context);
}
