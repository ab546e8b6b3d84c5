import { attrText } from './attrs.js';
import type { Constant } from './constant.js';
import { type Dim, dimSymbols } from './dims.js';
import { decodeElements, type Elements } from './elements.js';
import { isFloat } from './dtype.js';
import type { Graph } from './graph.js';
import type { Node, Value } from './handles.js';
import type { AnyOp } from './op.js';
import type { Origin } from './origin.js';
import { floatText } from './scalar.js';
import type { ShapeEnv } from './shape-env.js';
import { numel, typeText } from './types.js';

/** Version of the text form; its first line is `qfuse.graph 1` when the header is printed. */
export const textVersion = 1;

/** Constants with at most this many elements are written out; larger ones by their key, so that texts stay readable. */
const INLINE_ELEMENTS = 16;

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

  const lines: string[] = [];
  if (options.header === true) lines.push(`qfuse.graph ${textVersion}`, ...versionLines(graph));
  const inputs = graph.inputs.map((v) => `${text(v.id)}: ${typeText(v.type)}`).join(', ');
  const facts = envText(graph.env);
  lines.push(`graph @${identifier(graph.name)}(${inputs})${facts === '' ? '' : ` where ${facts}`} {`);
  for (const { value, name, role, constant } of graph.constants) lines.push(`  ${text(value.id)} = ${role} ${JSON.stringify(name)} : ${typeText(value.type)} = ${constantText(constant)}`);
  const printer = new NodePrinter(graph, text, options.origins === true);
  for (let n = ids.first; n >= 0; n = ids.next(n)) lines.push(printer.line(n));
  for (const { target, value } of graph.mutations) lines.push(`  mutate ${text(target.id)} = ${text(value.id)}`);
  const outputs = graph.outputs.map((v) => text(v.id)).join(', ');
  lines.push(outputs === '' ? '  return' : `  return ${outputs}`, '}');
  return `${lines.join('\n')}\n`;
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
  readonly #attrTexts = new Map<unknown, string>();

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
    const after = op.variadic < 0 ? 0 : op.operandNames.length - op.variadic - 1;
    const parts: string[] = [];
    for (let i = 0; i < (op.variadic < 0 ? arity : op.variadic); i++) parts.push(this.#text(ids.operand(n, i)));
    if (op.variadic >= 0) {
      const list: string[] = [];
      for (let i = op.variadic; i < arity - after; i++) list.push(this.#text(ids.operand(n, i)));
      parts.push(`[${list.join(', ')}]`);
      for (let i = arity - after; i < arity; i++) parts.push(this.#text(ids.operand(n, i)));
    }
    while (parts.at(-1) === '_') parts.pop();
    return parts.join(', ');
  }

  #attrs(n: number, op: AnyOp): string {
    if (op.attrNames.length === 0) return '';
    const attrs = this.#graph.ids.attrs(n);
    let text = this.#attrTexts.get(attrs);
    if (text === undefined) {
      const parts: string[] = [];
      for (const name of [...op.attrNames].sort()) {
        const spec = op.attrs[name];
        const shown = attrText(spec, attrs[name]);
        if (!(spec.optional && shown === attrText(spec, spec.default))) parts.push(`${name} = ${shown}`);
      }
      text = parts.length === 0 ? '' : ` {${parts.join(', ')}}`;
      this.#attrTexts.set(attrs, text);
    }
    return text;
  }
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

/** Symbols of `dims` that `env` does not declare. */
export function undeclaredSymbols(env: ShapeEnv, dims: readonly Dim[]): string[] {
  const declared = new Set(env.symbols());
  const used = new Set<string>();
  for (const d of dims) dimSymbols(d, used);
  return [...used].filter((s) => !declared.has(s));
}

/** A constant as text: `dense<[1, 2]>`, `splat<0.0>`, or `#key`. */
export function constantText(constant: Constant): string {
  const count = numel(constant.type) as number;
  if (!constant.resolved || count > INLINE_ELEMENTS) return `#${constant.key}`;
  const elements = decodeElements(constant.type.dtype, constant.bytes(), count);
  const one = (i: number): string => elementText(elements, i, constant.type.dtype);
  if (count > 1 && [...elements].every((_, i) => one(i) === one(0))) return `splat<${one(0)}>`;
  return `dense<[${Array.from({ length: count }, (_, i) => one(i)).join(', ')}]>`;
}

const elementText = (elements: Elements, i: number, dtype: Constant['type']['dtype']): string => (isFloat(dtype) ? floatText(Number(elements[i])) : String(elements[i]));

/** An origin as text: `"node"`, `"node" in "scope"`, `rule["a", "b"]`. */
export function originText(o: Origin): string {
  if (o.kind === 'source') return o.scope === '' ? JSON.stringify(o.name) : `${JSON.stringify(o.name)} in ${JSON.stringify(o.scope)}`;
  return `${JSON.stringify(o.by)}[${o.from.map(originText).join(', ')}]`;
}
