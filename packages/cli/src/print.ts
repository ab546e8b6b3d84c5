import Table from 'cli-table3';
import colors from 'picocolors';

/** Rows as a plain table for a terminal. */
export function tableText(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [] },
    colAligns: head.map((_, i) => (rows.length > 0 && rows.every((r) => typeof r[i] === 'number') ? 'right' : 'left')),
  });
  for (const row of rows) table.push(row.map(String));
  return table.toString();
}

/** Standard output for people. */
export const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Standard output for programs: one JSON document. Infinities, which JSON has not, become the largest number. */
export const sayJson = (value: unknown): void => say(JSON.stringify(value, (_, v: unknown) => (v === Infinity ? Number.MAX_VALUE : v), 2));

/** Marks: a check or a cross with colour where the terminal has it. */
export const mark = (ok: boolean): string => (ok ? colors.green('ok') : colors.red('WRONG'));

/** Bytes with a unit. */
export function bytesText(n: number): string {
  if (n < 1024) return `${n} B`;
  return n < 1024 ** 2 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / 1024 ** 2).toFixed(2)} MiB`;
}

/** A time in milliseconds. */
export const msText = (ms: number): string => (ms < 10 ? `${ms.toFixed(2)} ms` : `${ms.toFixed(0)} ms`);
