import { type AttrRecord, attrText, type AttrValue, Cursor, elementKind, QfuseError } from '@qfuse/ir';
import { type Pass, phases } from './pass.js';

/** Passes as text: `normalize(canonicalize, fold-constants{limit = 4096}), fuse(fuse-linear-qcsnw)`. */
export function pipelineText(passes: readonly Pass[]): string {
  const groups: string[] = [];
  for (let i = 0; i < passes.length;) {
    const { phase } = passes[i]!;
    const names: string[] = [];
    for (; i < passes.length && passes[i]!.phase === phase; i++) names.push(`${passes[i]!.name}${optionsText(passes[i]!)}`);
    groups.push(`${phase}(${names.join(', ')})`);
  }
  return groups.join(', ');
}

/** Options that differ from their defaults, as ` {name = value}` without the leading space, or nothing. */
function optionsText(pass: Pass): string {
  const parts = Object.keys(pass.optionSpecs)
    .sort()
    .filter(
      (name) =>
        attrText(pass.optionSpecs[name]!, pass.options[name]) !== attrText(pass.optionSpecs[name]!, pass.optionSpecs[name]!.default),
    )
    .map((name) => `${name} = ${attrText(pass.optionSpecs[name]!, pass.options[name])}`);
  return parts.length === 0 ? '' : `{${parts.join(', ')}}`;
}

/**
 * Reads what {@link pipelineText} writes. The order of the text is kept.
 * @param find - the pass of a name
 * @throws QfuseError `pipeline/unknown-pass`, `pass/options` or `ir/parse`
 */
export function parsePipeline(text: string, find: (name: string) => Pass | undefined): readonly Pass[] {
  const cursor = new Cursor(text);
  const out: Pass[] = [];
  const name = (): string => {
    let word = cursor.word();
    while (cursor.text[cursor.at] === '-') {
      cursor.at++;
      word += `-${cursor.word()}`;
    }
    return word === '' ? cursor.fail('a name') : word;
  };
  const pass = (): void => {
    const start = name();
    const found = find(start);
    if (found === undefined)
      throw new QfuseError('pipeline/unknown-pass', `there is no pass "${start}"`, {
        help: '"qfuse passes" lists the passes; a plugin may be missing in the config',
      });
    out.push(cursor.text[cursor.at] === '{' ? found.with(options(cursor, found)) : found);
  };
  cursor.skip();
  if (cursor.at >= text.length) return out;
  do {
    const phase = name();
    if (!(phases as readonly string[]).includes(phase))
      throw new QfuseError('pipeline/phase', `"${phase}" is not a phase; the phases are ${phases.join(', ')}`);
    cursor.list('(', ')', pass);
  } while (cursor.take(','));
  cursor.skip();
  if (cursor.at < text.length) cursor.fail('the end of the pipeline');
  return out;
}

function options(cursor: Cursor, pass: Pass): AttrRecord {
  const given: Record<string, AttrValue> = {};
  cursor.list('{', '}', () => {
    const name = cursor.word();
    cursor.expect('=');
    const spec = pass.optionSpecs[name];
    if (spec === undefined)
      throw new QfuseError(
        'pass/options',
        `pass ${pass.name} has no option "${name}"; it has ${Object.keys(pass.optionSpecs).join(', ') || 'none'}`,
      );
    given[name] = readOption(cursor, spec.kind);
  });
  return given;
}

/** Options use the plain kinds of attributes. */
function readOption(cursor: Cursor, kind: string): AttrValue {
  const element = elementKind(kind as never);
  if (element !== undefined) return cursor.list('[', ']', () => readOption(cursor, element)) as never;
  if (kind === 'bool') return cursor.takeWord('true') || (cursor.takeWord('false') ? false : cursor.fail('"true" or "false"'));
  if (kind === 'string') return cursor.string();
  if (kind === 'dtype') return cursor.word() as AttrValue;
  return Number(cursor.numberText().replace('inf', 'Infinity').replace('nan', 'NaN'));
}
