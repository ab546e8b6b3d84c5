import { type AttrRecord, type AttrSpec, type AttrValue, elementKind } from './attrs.js';
import { Constant } from './constant.js';
import { bitsConstant, denseConstant, numberOf, splatConstant } from './constant-text.js';
import { Cursor } from './cursor.js';
import { Editor } from './editor.js';
import { QfuseError } from './error.js';
import { type ConstantRole, Graph, type Mutation } from './graph.js';
import type { Value } from './handles.js';
import type { AnyOp } from './op.js';
import { madeOrigin, type Origin, sourceOrigin } from './origin.js';
import { textVersion } from './print.js';
import { boolScalar, floatScalar, intScalar } from './scalar.js';
import { NONE, type NodeId, type ValueId } from './store.js';
import { isStatic, type TensorType } from './types.js';
import { type Key, ValueNames } from './value-names.js';

/** Options of {@link parseGraph}. */
export interface ParseOptions {
  /** Finds an op by name; undefined refuses the text. */
  readonly ops: (name: string) => AnyOp | undefined;
  /** Finds the data of a constant that the text names by key only. Without it such constants are unresolved. */
  readonly constants?: ((key: string, type: TensorType) => Constant | undefined) | undefined;
}

const noKeys: Key[] = [];

/** Origins of origins: what a printer writes nests twice, and a hostile text cannot exhaust the stack. */
const MAX_ORIGIN_DEPTH = 8;

/**
 * Reads the text form of a graph. Names of node results are free; they are not kept.
 * @throws QfuseError with line and column: `ir/parse`; `ir/text-version` and `ir/op-version`; the error of the shape
 * rule or attribute check (`ir/infer`, `ir/operands`, `ir/attr`, …) when a node does not fit its op
 */
export function parseGraph(text: string, options: ParseOptions): Graph {
  const parser = new Parser(text, options);
  try {
    const graph = parser.graph();
    if (parser.cursor.peek() !== '') parser.cursor.fail('the end of the text');
    return graph;
  } catch (cause) {
    // What names, dims and facts refuse does not know the place.
    if (!(cause instanceof QfuseError) || cause.message.startsWith('line ')) throw cause;
    throw new QfuseError('ir/parse', `${parser.cursor.where()}: ${cause.message}`, { cause, help: cause.help });
  }
}

class Parser {
  readonly cursor: Cursor;
  readonly #options: ParseOptions;
  readonly #values = new ValueNames();
  /** Op versions that the header states; undefined without a header. */
  #versions: Map<string, number> | undefined;
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
      const key = this.#valueKey();
      cursor.expect(':');
      return { key, type: cursor.type() };
    });
    if (cursor.takeWord('where'))
      do this.#fact(graph);
      while (cursor.take(','));
    for (const { key, type } of inputs) this.#values.add(key, edit.addInput(ValueNames.nameOf(key), type).id);
    cursor.expect('{');
    const mutations: Mutation[] = [];
    while (!cursor.takeWord('return')) {
      if (cursor.takeWord('mutate')) {
        const target = this.#value();
        cursor.expect('=');
        mutations.push({ target, value: this.#value() });
      } else this.#statement();
    }
    const outputs: Value[] = [];
    if (cursor.peek() === '%')
      do outputs.push(this.#value());
      while (cursor.take(','));
    cursor.expect('}');
    edit.setOutputs(outputs, mutations);
    return graph;
  }

  #header(): void {
    const { cursor } = this;
    if (!cursor.takeWord('qfuse.graph')) return;
    const at = cursor.where();
    const version = cursor.integer();
    if (version !== textVersion)
      throw new QfuseError(
        'ir/text-version',
        `${at}: the text is written in version ${version} of the text form, this qfuse reads version ${textVersion}`,
      );
    this.#versions = new Map();
    while (cursor.takeWord('uses')) this.#versions.set(cursor.name(), cursor.integer());
  }

  /** In a text with a header, an op that it does not list has version 1. */
  #checkVersion(op: AnyOp, start: number): void {
    if (this.#versions === undefined) return;
    const found = this.#versions.get(op.name) ?? 1;
    if (found !== op.version)
      throw new QfuseError(
        'ir/op-version',
        `${this.cursor.where(start)}: the text uses ${op.name} version ${found}, this qfuse has version ${op.version}`,
      );
  }

  #fact(graph: Graph): void {
    const { cursor } = this;
    const name = cursor.word();
    cursor.expect('in');
    cursor.expect('[');
    const min = cursor.integer();
    cursor.expect(',');
    const max = cursor.takeWord('inf') ? Number.POSITIVE_INFINITY : cursor.integer();
    cursor.expect(']');
    const divisor = cursor.takeWord('by') ? cursor.integer() : 1;
    graph.env.declare(name, { min, max, divisor, source: 'stated in the text' });
  }

  #valueKey(): Key {
    const { cursor } = this;
    if (!cursor.take('%')) cursor.fail('"%" and the name of a value');
    // Nearly all names are numbers; no string is made of them.
    const index = cursor.index();
    if (index >= 0) return index;
    return cursor.text[cursor.at] === '"' ? ValueNames.quoted(cursor.string()) : ValueNames.plain(cursor.name());
  }

  #value(): Value {
    return this.#editor.graph.value(this.#valueId());
  }

  #valueId(): ValueId {
    const { cursor } = this;
    cursor.skip();
    const start = cursor.at;
    const value = this.#values.get(this.#valueKey());
    if (value !== undefined) return value;
    cursor.at = start;
    return cursor.fail('a value that is defined above');
  }

  #statement(): void {
    const { cursor } = this;
    cursor.skip();
    const start = cursor.at;
    let keys = noKeys;
    if (cursor.peek() === '%') {
      keys = [this.#valueKey()];
      while (cursor.take(',')) keys.push(this.#valueKey());
      cursor.expect('=');
    }
    const first = (keys.length === 1 ? this.#constant()?.id : undefined) ?? this.#node(keys.length);
    for (let i = 0; i < keys.length; i++) {
      if (this.#values.add(keys[i]!, (first + i) as ValueId)) continue;
      cursor.at = start;
      cursor.fail(`another name than %${keys[i]}, which is taken`);
    }
  }

  #constant(): Value | undefined {
    const { cursor } = this;
    let role: ConstantRole;
    if (cursor.takeWord('parameter')) role = 'parameter';
    else if (cursor.takeWord('buffer')) role = 'buffer';
    else if (cursor.takeWord('constant')) role = 'constant';
    else return undefined;
    const name = cursor.string();
    cursor.expect(':');
    const type = cursor.type();
    if (!isStatic(type.shape)) cursor.fail('a type without symbols before this place');
    cursor.expect('=');
    return this.#editor.addConstant(name, role, this.#constantData(type));
  }

  #constantData(type: TensorType): Constant {
    const { cursor } = this;
    cursor.skip();
    const start = cursor.at;
    if (cursor.take('#')) {
      const { at } = cursor;
      const key = cursor.word();
      if (key === '' || cursor.at !== at + key.length) {
        cursor.at = at;
        cursor.fail('the key of a constant');
      }
      return this.#options.constants?.(key, type) ?? Constant.unresolved(type, key);
    }
    let make: () => Constant;
    if (cursor.takeWord('dense')) {
      cursor.expect('<');
      const elements = cursor.list('[', ']', () => cursor.numberText());
      make = () => denseConstant(type, elements);
    } else if (cursor.takeWord('splat')) {
      cursor.expect('<');
      const element = cursor.numberText();
      make = () => splatConstant(type, element);
    } else if (cursor.takeWord('bits')) {
      cursor.expect('<');
      const digits = cursor.string();
      make = () => bitsConstant(type, digits);
    } else return cursor.fail('"dense<[…]>", "splat<…>", "bits<…>" or "#key"');
    cursor.expect('>');
    try {
      return make();
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      cursor.at = start;
      return cursor.fail(cause.message);
    }
  }

  /** Reads a node with `names` results and returns the id of the first. */
  #node(names: number): ValueId {
    const { cursor } = this;
    cursor.skip();
    const start = cursor.at;
    const name = cursor.word();
    const op = this.#options.ops(name);
    if (op === undefined) {
      cursor.at = start;
      return cursor.fail('an op that is known, "return" or "mutate"');
    }
    this.#checkVersion(op, start);
    const slots = this.#operands(op);
    const attrs = cursor.peek() === '{' ? this.#attrs(op) : undefined;
    let types: TensorType[] | undefined;
    if (cursor.take(':')) {
      types = [cursor.type()];
      while (cursor.take(',')) types.push(cursor.type());
    }
    const origin = cursor.takeWord('loc') ? this.#loc() : undefined;
    // Of a text that was cut off the end is the error, not what is missing of the node.
    if (cursor.peek() === '') cursor.fail('the rest of the graph');
    const { ids } = this.#editor.graph;
    const n = this.#create(start, op, slots, attrs, types, origin);
    if (names === ids.resultCount(n)) return ids.result(n, 0) as ValueId;
    cursor.at = start;
    return cursor.fail(`${ids.resultCount(n)} result names for ${op.name}`);
  }

  #create(
    start: number,
    op: AnyOp,
    slots: readonly number[],
    attrs: AttrRecord | undefined,
    types: readonly TensorType[] | undefined,
    origin: Origin | undefined,
  ): NodeId {
    try {
      return this.#editor.createFromIds(op, slots, slots.length, attrs, { types, origin });
    } catch (cause) {
      if (cause instanceof QfuseError)
        throw new QfuseError(cause.code, `${this.cursor.where(start)}: ${cause.message}`, { cause, help: cause.help });
      throw cause;
    }
  }

  /** Ids of the operands, -1 for absent ones. */
  #operands(op: AnyOp): number[] {
    const { cursor } = this;
    const names = op.operandNames;
    const out: number[] = [];
    let at = 0;
    cursor.expect('(');
    if (cursor.peek() !== ')')
      do {
        if (at === names.length) cursor.fail(`at most ${names.length} operands of ${op.name}`);
        const isList = at === op.variadic;
        if ((cursor.peek() === '[') !== isList) cursor.fail(`${isList ? 'a list' : 'a value'} as operand "${names[at]}" of ${op.name}`);
        if (isList) out.push(...cursor.list('[', ']', () => this.#slot()));
        else out.push(this.#slot());
        at++;
      } while (cursor.take(','));
    cursor.expect(')');
    for (; at < names.length; at++) if (at !== op.variadic) out.push(NONE);
    return out;
  }

  #slot(): number {
    return this.cursor.takeWord('_') ? NONE : this.#valueId();
  }

  #attrs(op: AnyOp): AttrRecord {
    const { cursor } = this;
    const out: Record<string, AttrValue> = {};
    cursor.expect('{');
    do {
      cursor.skip();
      const start = cursor.at;
      const name = cursor.word();
      const spec = Object.hasOwn(op.attrs, name) && !Object.hasOwn(out, name) ? (op.attrs[name] as AttrSpec) : undefined;
      if (spec === undefined) {
        cursor.at = start;
        return cursor.fail(`an attribute of ${op.name} (${op.attrNames.join(', ')}), each once`);
      }
      cursor.expect('=');
      out[name] = readAttr(cursor, spec);
    } while (cursor.take(','));
    cursor.expect('}');
    return out;
  }

  #loc(): Origin {
    const { cursor } = this;
    cursor.expect('(');
    const origin = this.#origin(0);
    cursor.expect(')');
    return origin;
  }

  #origin(depth: number): Origin {
    const { cursor } = this;
    if (depth > MAX_ORIGIN_DEPTH) cursor.fail(`an origin that nests at most ${MAX_ORIGIN_DEPTH} deep`);
    const name = cursor.string();
    if (cursor.peek() === '[')
      return madeOrigin(
        name,
        cursor.list('[', ']', () => this.#origin(depth + 1)),
      );
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
      return cursor.integer();
    case 'float':
      return numberOf(cursor.numberText());
    case 'bool':
      return cursor.takeWord('true') || (cursor.takeWord('false') ? false : cursor.fail('"true" or "false"'));
    case 'string':
      return cursor.string();
    case 'dtype':
      return cursor.word() as AttrValue;
    case 'dim':
      return cursor.dim();
    default:
      return readScalar(cursor);
  }
}

function readScalar(cursor: Cursor): AttrValue {
  if (cursor.takeWord('true')) return boolScalar(true);
  if (cursor.takeWord('false')) return boolScalar(false);
  cursor.skip();
  const start = cursor.at;
  const text = cursor.numberText();
  if (!/^-?\d+$/.test(text)) return floatScalar(numberOf(text));
  if (/^-?\d{1,20}$/.test(text)) {
    const value = BigInt(text);
    if (value >= -(2n ** 63n) && value < 2n ** 64n) return intScalar(value);
  }
  cursor.at = start;
  return cursor.fail('an integer of at most 64 bits');
}
