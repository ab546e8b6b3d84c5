import { type AttrRecord, type AttrSpec, type AttrValue, elementKind } from './attrs.js';
import { Constant } from './constant.js';
import { Cursor } from './cursor.js';
import { Editor } from './editor.js';
import { encodeElements, newElements } from './elements.js';
import { QfuseError } from './error.js';
import { type ConstantRole, Graph, type Mutation } from './graph.js';
import type { Value } from './handles.js';
import type { AnyOp } from './op.js';
import { madeOrigin, type Origin, sourceOrigin } from './origin.js';
import { textVersion } from './print.js';
import { boolScalar, floatScalar, intScalar } from './scalar.js';
import { numel, type TensorType } from './types.js';

/** Options of {@link parseGraph}. */
export interface ParseOptions {
  /** Finds an op by name; undefined refuses the text. */
  readonly ops: (name: string) => AnyOp | undefined;
  /** Finds the data of a constant that the text names by key only. Without it such constants are unresolved. */
  readonly constants?: ((key: string, type: TensorType) => Constant | undefined) | undefined;
}

/**
 * Reads the text form of a graph. Names of node results are free; they are not kept.
 * @throws QfuseError `ir/parse` with line and column, `ir/infer` when a node does not fit its op
 */
export function parseGraph(text: string, options: ParseOptions): Graph {
  const parser = new Parser(text, options);
  const graph = parser.graph();
  parser.cursor.skip();
  if (parser.cursor.at < text.length) parser.cursor.fail('the end of the text');
  return graph;
}

class Parser {
  readonly cursor: Cursor;
  readonly #options: ParseOptions;
  readonly #values = new Map<string, Value>();
  #editor = new Editor(new Graph());

  constructor(text: string, options: ParseOptions) {
    this.cursor = new Cursor(text);
    this.#options = options;
  }

  graph(): Graph {
    const { cursor } = this;
    this.#header();
    cursor.expect('graph');
    cursor.expect('@');
    const graph = new Graph(cursor.name());
    const edit = (this.#editor = new Editor(graph));
    const inputs = cursor.list('(', ')', () => {
      const name = this.#valueName();
      cursor.expect(':');
      return { name, type: cursor.type() };
    });
    if (cursor.takeWord('where')) do this.#fact(graph); while (cursor.take(','));
    for (const { name, type } of inputs) this.#define(name, edit.addInput(name, type));
    cursor.expect('{');
    const mutations: Mutation[] = [];
    const outputs: Value[] = [];
    for (;;) {
      if (cursor.takeWord('return')) {
        cursor.skip();
        if (cursor.text[cursor.at] === '%') do outputs.push(this.#value()); while (cursor.take(','));
        break;
      }
      if (cursor.takeWord('mutate')) {
        const target = this.#value();
        cursor.expect('=');
        mutations.push({ target, value: this.#value() });
      } else this.#statement();
    }
    cursor.expect('}');
    edit.setOutputs(outputs, mutations);
    return graph;
  }

  #header(): void {
    const { cursor } = this;
    if (!cursor.takeWord('qfuse.graph')) return;
    const version = Number(cursor.numberText());
    if (version !== textVersion)
      throw new QfuseError('ir/text-version', `the text is written in version ${version} of the text form, this qfuse reads version ${textVersion}`);
    while (cursor.takeWord('uses')) {
      const name = cursor.name();
      const found = Number(cursor.numberText());
      const op = this.#options.ops(name);
      if (op !== undefined && op.version !== found)
        throw new QfuseError('ir/op-version', `the text uses ${name} version ${found}, this qfuse has version ${op.version}`);
    }
  }

  #fact(graph: Graph): void {
    const { cursor } = this;
    const name = cursor.word();
    cursor.expect('in');
    cursor.expect('[');
    const min = Number(cursor.numberText());
    cursor.expect(',');
    const high = cursor.numberText();
    cursor.expect(']');
    const divisor = cursor.takeWord('by') ? Number(cursor.numberText()) : 1;
    graph.env.declare(name, { min, max: high === 'inf' ? Infinity : Number(high), divisor, source: 'stated in the text' });
  }

  #valueName(): string {
    this.cursor.expect('%');
    return this.cursor.name();
  }

  #value(): Value {
    const { cursor } = this;
    const start = cursor.at;
    const name = this.#valueName();
    const value = this.#values.get(name);
    if (value !== undefined) return value;
    cursor.at = start;
    return cursor.fail('a value that is defined above');
  }

  #define(name: string, value: Value): void {
    if (this.#values.has(name)) this.cursor.fail(`another name than %${name}, which is taken`);
    this.#values.set(name, value);
  }

  #statement(): void {
    const { cursor } = this;
    const names: string[] = [];
    cursor.skip();
    if (cursor.text[cursor.at] === '%') {
      do names.push(this.#valueName());
      while (cursor.take(','));
      cursor.expect('=');
    }
    const [first] = names;
    for (const role of ['parameter', 'buffer', 'constant'] as const)
      if (names.length === 1 && cursor.takeWord(role)) return this.#define(first!, this.#constant(role));
    this.#node(names);
  }

  #constant(role: ConstantRole): Value {
    const { cursor } = this;
    const name = cursor.string();
    cursor.expect(':');
    const type = cursor.type();
    cursor.expect('=');
    return this.#editor.addConstant(name, role, this.#constantData(type));
  }

  #constantData(type: TensorType): Constant {
    const { cursor } = this;
    if (cursor.take('#')) {
      const key = cursor.word();
      return this.#options.constants?.(key, type) ?? Constant.unresolved(type, key);
    }
    const splat = cursor.takeWord('splat');
    if (!splat && !cursor.takeWord('dense')) cursor.fail('"dense<[…]>", "splat<…>" or "#key"');
    cursor.expect('<');
    const given = splat ? [cursor.numberText()] : cursor.list('[', ']', () => cursor.numberText());
    cursor.expect('>');
    const count = numel(type) as number;
    if (!splat && given.length !== count) cursor.fail(`${count} elements before this place`);
    const elements = newElements(type.dtype, count);
    const number = (t: string): number => Number(t.replace('inf', 'Infinity').replace('nan', 'NaN'));
    for (let i = 0; i < count; i++) {
      const one = given[splat ? 0 : i]!;
      if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) {
        if (!/^-?\d+$/.test(one)) cursor.fail('integers before this place');
        elements[i] = BigInt(one);
      } else elements[i] = number(one);
    }
    return Constant.of(type, encodeElements(type.dtype, elements), 'text');
  }

  #node(names: readonly string[]): void {
    const { cursor } = this;
    const start = cursor.at;
    const name = cursor.word();
    const op = this.#options.ops(name);
    if (op === undefined) {
      cursor.at = start;
      return cursor.fail('an op that is known, "return" or "mutate"');
    }
    const slots = this.#operands(op);
    const attrs = this.#attrs(op);
    const types: TensorType[] = [];
    if (cursor.take(':')) do types.push(cursor.type()); while (cursor.take(','));
    const origin = cursor.takeWord('loc') ? this.#loc() : undefined;
    const node = this.#editor.createFromSlots(op, slots, attrs, { types: types.length === 0 ? undefined : types, origin });
    if (names.length !== node.results.length) {
      cursor.at = start;
      cursor.fail(`${node.results.length} result names for ${op.name}`);
    }
    names.forEach((n, i) => this.#define(n, node.results[i]!));
  }

  #operands(op: AnyOp): (Value | undefined)[] {
    const { cursor } = this;
    const one = (): Value | undefined => (cursor.takeWord('_') ? undefined : this.#value());
    const given = cursor.list('(', ')', () => {
      cursor.skip();
      return cursor.text[cursor.at] === '[' ? cursor.list('[', ']', one) : one();
    });
    const out: (Value | undefined)[] = [];
    op.operandNames.forEach((name, i) => {
      const g = given[i];
      if (Array.isArray(g) !== (i === op.variadic) && g !== undefined) cursor.fail(`operand "${name}" of ${op.name} before this place to be ${i === op.variadic ? 'a list' : 'a value'}`);
      if (Array.isArray(g)) out.push(...g);
      else if (i !== op.variadic) out.push(g);
    });
    if (given.length > op.operandNames.length) cursor.fail(`at most ${op.operandNames.length} operands of ${op.name} before this place`);
    return out;
  }

  #attrs(op: AnyOp): AttrRecord {
    const { cursor } = this;
    const out: Record<string, AttrValue> = {};
    if (!cursor.take('{')) return out;
    do {
      const name = cursor.word();
      const spec = Object.hasOwn(op.attrs, name) ? (op.attrs[name] as AttrSpec) : undefined;
      if (spec === undefined) return cursor.fail(`an attribute of ${op.name} (${op.attrNames.join(', ')}) before this place`);
      cursor.expect('=');
      out[name] = readAttr(cursor, spec);
    } while (cursor.take(','));
    cursor.expect('}');
    return out;
  }

  #loc(): Origin {
    const { cursor } = this;
    cursor.expect('(');
    const origin = this.#origin();
    cursor.expect(')');
    return origin;
  }

  #origin(): Origin {
    const { cursor } = this;
    const name = cursor.string();
    cursor.skip();
    if (cursor.text[cursor.at] === '[') return madeOrigin(name, cursor.list('[', ']', () => this.#origin()));
    return sourceOrigin(name, cursor.takeWord('in') ? cursor.string() : '');
  }
}

/** Reads one attribute value as its declaration says. */
function readAttr(cursor: Cursor, spec: AttrSpec): AttrValue {
  if (cursor.takeWord('none')) return undefined;
  const element = elementKind(spec.kind);
  if (element !== undefined) return cursor.list('[', ']', () => readAttr(cursor, { ...spec, kind: element }) as never);
  switch (spec.kind) {
    case 'int':
      return Number(cursor.numberText());
    case 'float':
      return Number(cursor.numberText().replace('inf', 'Infinity').replace('nan', 'NaN'));
    case 'bool':
      return cursor.takeWord('true') || (cursor.takeWord('false') ? false : cursor.fail('"true" or "false"'));
    case 'string':
      return cursor.string();
    case 'dtype':
      return cursor.word() as AttrValue;
    case 'dim':
      return cursor.dim();
    default: {
      if (cursor.takeWord('true')) return boolScalar(true);
      if (cursor.takeWord('false')) return boolScalar(false);
      const text = cursor.numberText();
      return /^-?\d+$/.test(text) ? intScalar(BigInt(text)) : floatScalar(Number(text.replace('inf', 'Infinity').replace('nan', 'NaN')));
    }
  }
}
