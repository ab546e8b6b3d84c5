/**
 * An error that a user can act on: a bad file, a wrong option, something not supported.
 * Everything else (a plain `Error`) is a defect of qfuse.
 */
export class QfuseError extends Error {
  /** `package/what`, stable, e.g. `pt2/unsupported-op`. */
  readonly code: string;
  /** What to do about it, when that is known. */
  readonly help: string | undefined;

  /**
   * @param code - stable code, `package/what`
   * @param message - what is and what was expected, naming the node, file or option
   * @param options - `help` says what to do; `cause` keeps the underlying error
   */
  constructor(code: string, message: string, options: { readonly help?: string | undefined; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'QfuseError';
    this.code = code;
    this.help = options.help;
  }
}

/** The answer to a question that may be refused, with the reason of the refusal. */
export type Verdict = { readonly ok: true } | { readonly ok: false; readonly why: string };

/** The positive {@link Verdict}. */
export const yes: Verdict = Object.freeze({ ok: true });

/** A negative {@link Verdict} with its reason. */
export const no = (why: string): Verdict => ({ ok: false, why });
