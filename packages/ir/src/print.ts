import { type AttrRecord, attrText } from './attrs.js';
import { constantText } from './constant-text.js';
import type { Graph } from './graph.js';
import type { Node, Value } from './handles.js';
import type { AnyOp } from './op.js';
import type { Origin } from './origin.js';
import type { ShapeEnv } from './shape-env.js';
import { typeText } from './types.js';

/** Version of the text form; its first line is `qfuse.graph 1` when the header is printed. */
export const textVersion = 1;

/** Options of {@link printGraph}. */
export interface PrintOptions {
  /** Print version lines and op versions first, as files and reproducers do. Default false. */
  readonly header?: boolean;
  /** Print each node's origin as `loc(…)`. Default false. */
  readonly origins?: boolean;
}

/**
 * The canonical text of a graph: values numbered in list order, attributes sorted and only where they differ
 * from their default, types always shown. `parseGraph` reads it back to an equal graph.
 */
export function printGraph(graph: Graph, options: PrintOptions = {}): string {
  const { ids } = graph;
  const names = new Map<number, string>();
  for (const [id, name] of namedValues(graph)) names.set(id, valueName(name));
  const numbers = new Int32Array(ids.valueLimit);
  let count = 0;
  for (let n = ids.first; n >= 0; n = ids.next(n)) for (let i = 0; i < ids.resultCount(n); i++) numbers[ids.result(n, i)] = count++;
  const text = (v: number): string => (v < 0 ? '_' : ids.producer(v) < 0 ? names.get(v)! : `%${numbers[v]}`);

  const lines = new Lines();
  if (options.header === true) lines.push(`qfuse.graph ${textVersion}`, ...versionLines(graph));
  const inputs = graph.inputs.map((v) => `${text(v.id)}: ${typeText(v.type)}`).join(', ');
  const facts = envText(graph.env);
  lines.push(`graph @${identifier(graph.name)}(${inputs})${facts === '' ? '' : ` where ${facts}`} {`);
  for (const { value, name, role, constant } of graph.constants)
    lines.push(`  ${text(value.id)} = ${role} ${JSON.stringify(name)} : ${typeText(value.type)} = ${constantText(constant)}`);
  const printer = new NodePrinter(graph, text, options.origins === true);
  for (let n = ids.first; n >= 0; n = ids.next(n)) lines.push(printer.line(n));
  for (const { target, value } of graph.mutations) lines.push(`  mutate ${text(target.id)} = ${text(value.id)}`);
  const outputs = graph.outputs.map((v) => text(v.id)).join(', ');
  lines.push(outputs === '' ? '  return' : `  return ${outputs}`, '}');
  return lines.text();
}

/** Lines, joined a few at a time: a million small strings that stay alive until the end cost more than printing them. */
class Lines {
  #open: string[] = [];
  readonly #done: string[] = [];

  push(...lines: readonly string[]): void {
    for (const line of lines) this.#open.push(line, '\n');
    if (this.#open.length < 1024) return;
    this.#done.push(this.#open.join(''));
    this.#open = [];
  }

  text(): string {
    return this.#done.join('') + this.#open.join('');
  }
}

/** One node as a line of the text form, without indentation; values are named by `name`. */
export function printNode(node: Node, name: (value: Value) => string): string {
  const text = (v: number): string => (v < 0 ? '_' : name(node.graph.value(v as Value['id'])));
  return new NodePrinter(node.graph, text, false).line(node.id).trimStart();
}

class NodePrinter {
  readonly #graph: Graph;
  readonly #text: (v: number) => string;
  readonly #origins: boolean;
  readonly #typeTexts = new Map<unknown, string>();
  /** By op first: one record may be all defaults for one op and not for another. */
  readonly #attrTexts = new Map<AnyOp, Map<AttrRecord, string>>();

  constructor(graph: Graph, text: (v: number) => string, origins: boolean) {
    this.#graph = graph;
    this.#text = text;
    this.#origins = origins;
  }

  line(n: number): string {
    const { ids } = this.#graph;
    const op = ids.op(n)!;
    let results = '';
    let types = '';
    for (let i = 0; i < ids.resultCount(n); i++) {
      const v = ids.result(n, i);
      results += `${i === 0 ? '' : ', '}${this.#text(v)}`;
      types += `${i === 0 ? ' : ' : ', '}${this.#type(v)}`;
    }
    const loc = this.#origins ? ` loc(${originText(ids.origin(n))})` : '';
    return `  ${results}${results === '' ? '' : ' = '}${op.name}(${this.#operands(n, op)})${this.#attrs(n, op)}${types}${loc}`;
  }

  #type(v: number): string {
    const type = this.#graph.ids.type(v);
    let text = this.#typeTexts.get(type);
    if (text === undefined) this.#typeTexts.set(type, (text = typeText(type)));
    return text;
  }

  #operands(n: number, op: AnyOp): string {
    const { ids } = this.#graph;
    const arity = ids.arity(n);
    if (op.variadic < 0) {
      // Absent operands at the end are left out.
      let end = arity;
      while (end > 0 && ids.operand(n, end - 1) < 0) end--;
      return this.#slots(n, 0, end);
    }
    const end = arity - (op.operandNames.length - op.variadic - 1);
    const parts = [this.#slots(n, 0, op.variadic), `[${this.#slots(n, op.variadic, end)}]`, this.#slots(n, end, arity)];
    return parts.filter((p) => p !== '').join(', ');
  }

  #slots(n: number, from: number, to: number): string {
    let text = '';
    for (let i = from; i < to; i++) text += `${i === from ? '' : ', '}${this.#text(this.#graph.ids.operand(n, i))}`;
    return text;
  }

  #attrs(n: number, op: AnyOp): string {
    if (op.attrNames.length === 0) return '';
    const attrs = this.#graph.ids.attrs(n);
    let texts = this.#attrTexts.get(op);
    if (texts === undefined) this.#attrTexts.set(op, (texts = new Map()));
    let text = texts.get(attrs);
    if (text === undefined) texts.set(attrs, (text = attrsText(op, attrs)));
    return text;
  }
}

function attrsText(op: AnyOp, attrs: AttrRecord): string {
  const parts: string[] = [];
  for (const name of [...op.attrNames].sort()) {
    const spec = op.attrs[name];
    const shown = attrText(spec, attrs[name]);
    if (!(spec.optional && shown === attrText(spec, spec.default))) parts.push(`${name} = ${shown}`);
  }
  return parts.length === 0 ? '' : ` {${parts.join(', ')}}`;
}

function* namedValues(graph: Graph): Generator<readonly [number, string]> {
  for (const v of graph.inputs) yield [v.id, v.name!];
  for (const { value, name } of graph.constants) yield [value.id, name];
}

/** `%name`, quoted when it is not a plain identifier; a name that reads like a number is quoted too. */
const valueName = (name: string): string => (/^[A-Za-z_][A-Za-z0-9_.]*$/.test(name) ? `%${name}` : `%${JSON.stringify(name)}`);
const identifier = (name: string): string => (/^[A-Za-z_][A-Za-z0-9_.]*$/.test(name) ? name : JSON.stringify(name));

function versionLines(graph: Graph): string[] {
  const versions = new Map<string, number>();
  for (let n = graph.ids.first; n >= 0; n = graph.ids.next(n)) {
    const op = graph.ids.op(n)!;
    versions.set(op.name, op.version);
  }
  const newer = [...versions].filter(([, v]) => v !== 1).sort(([a], [b]) => (a < b ? -1 : 1));
  return newer.map(([name, v]) => `uses ${name} ${v}`);
}

function envText(env: ShapeEnv): string {
  return env
    .symbols()
    .map((name) => {
      const { min, max, divisor } = env.fact(name);
      return `${name} in [${min}, ${max === Infinity ? 'inf' : max}]${divisor === 1 ? '' : ` by ${divisor}`}`;
    })
    .join(', ');
}

/** An origin as text: `"node"`, `"node" in "scope"`, `rule["a", "b"]`. */
export function originText(o: Origin): string {
  if (o.kind === 'source') return o.scope === '' ? JSON.stringify(o.name) : `${JSON.stringify(o.name)} in ${JSON.stringify(o.scope)}`;
  return `${JSON.stringify(o.by)}[${o.from.map(originText).join(', ')}]`;
}
