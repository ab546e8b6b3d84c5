import { describeOrigin, type Node, type Origin } from '@qfuse/ir';

/** `error` stops the run, `warning` may be wrong, `remark` says why something was not done. */
export type Severity = 'error' | 'warning' | 'remark';

/** A message to the user about a place in the program. */
export interface Diagnostic {
  /** `package/what`. */
  readonly code: string;
  readonly severity: Severity;
  readonly message: string;
  readonly help?: string | undefined;
  /** Where in the source program, when known. */
  readonly origin?: Origin | undefined;
}

/** One entry of a diagnostics table: severity, text from typed data, and what to do. */
export interface Message<D> {
  readonly severity: Severity;
  readonly text: (data: D) => string;
  readonly help?: string;
}

type Makers<T> = { readonly [K in keyof T]: T[K] extends Message<infer D> ? (data: D, at?: Node) => Diagnostic : never };

/**
 * Declares the messages of a package. An unknown code or wrong data does not compile.
 * @param prefix - the part of the code before the slash
 */
export function defineDiagnostics<const T extends Record<string, Message<any>>>(prefix: string, table: T): Makers<T> {
  const out: Record<string, (data: unknown, at?: Node) => Diagnostic> = {};
  for (const [what, { severity, text, help }] of Object.entries(table))
    out[what] = (data, at) => Object.freeze({ code: `${prefix}/${what}`, severity, message: text(data), help, origin: at?.origin });
  return Object.freeze(out) as Makers<T>;
}

/** A diagnostic as lines: severity and code, the message, the place, what to do. */
export function renderDiagnostic(d: Diagnostic): string {
  const lines = [`${d.severity} ${d.code}: ${d.message}`];
  if (d.origin !== undefined) lines.push(`   at ${describeOrigin(d.origin)}`);
  if (d.help !== undefined) lines.push(`   help: ${d.help}`);
  return lines.join('\n');
}
