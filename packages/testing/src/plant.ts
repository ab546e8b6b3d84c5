import {
  type AnyOp,
  type AttrRecord,
  type AttrSpec,
  type AttrValue,
  boolScalar,
  constantOf,
  type Dim,
  Editor,
  floatScalar,
  Graph,
  intScalar,
  QfuseError,
  type TensorType,
  tensorType,
  type Value,
} from '@qfuse/ir';
import type { ListPattern, MaybePattern, OneOfPattern, OpPattern, Pattern, Rule, ThroughPattern, ValuePattern } from '@qfuse/rewrite';
import { Random, randomTensor } from './random.js';

/** A value to plant. */
export interface PlantedValue {
  readonly type: TensorType;
  /** Smallest and largest element of a constant. */
  readonly range?: readonly [number, number];
  /** Whether it is a constant where the pattern takes anything; default: a graph input. */
  readonly constant?: boolean;
}

/** What a pattern leaves open and a planted graph must choose. */
export interface Soil {
  /** The value that a capture (or an unnamed place, `''`) stands for. */
  readonly value?: (name: string, random: Random, form: 'any' | 'constant') => PlantedValue | undefined;
  /** Attributes of a node of the pattern; what is left out is chosen by the declaration. */
  readonly attrs?: (op: AnyOp, random: Random, operands: readonly (Value | undefined)[]) => Readonly<Record<string, unknown>> | undefined;
  /** Operands that the pattern does not name; undefined leaves an optional one out. */
  readonly free?: (
    op: AnyOp,
    operand: string,
    edit: Editor,
    random: Random,
    others: Readonly<Record<string, Value | undefined>>,
  ) => Value | undefined;
  /** What reads the results of the root; its values are outputs instead of them. */
  readonly readers?: (results: readonly Value[], edit: Editor, random: Random) => readonly Value[];
  /**
   * More of a program around what was planted, such as another node that reads one of its constants. Gets what the
   * pattern captured by name; what it returns becomes outputs.
   */
  readonly around?: (captured: ReadonlyMap<string, Value>, edit: Editor, random: Random) => readonly Value[];
}

/** How often a planting is tried with other choices when its types do not fit. */
const TRIES = 40;

/**
 * A graph grown from a rule's own pattern: optional nodes there or not, commutative operands swapped, sometimes a
 * second reader of an inner node, sometimes results of the root that nobody reads, and what the soil puts around it. Not every planted graph satisfies the rule's conditions: both sides of them are wanted.
 * @returns undefined when no choice gave types that fit
 */
export function plant(rule: Rule, seed: number, soil: Soil = {}): Graph | undefined {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const planter = new Planter(new Random(seed * TRIES + attempt), soil);
    try {
      return planter.grow(rule.root);
    } catch (error) {
      if (!(error instanceof QfuseError) && !(error instanceof RangeError)) throw error;
    }
  }
  return undefined;
}

class Planter {
  readonly #random: Random;
  readonly #soil: Soil;
  readonly #graph = new Graph('planted');
  readonly #edit = new Editor(this.#graph);
  readonly #named = new Map<string, Value>();
  readonly #inner: Value[] = [];
  #inputs = 0;

  constructor(random: Random, soil: Soil) {
    this.#random = random;
    this.#soil = soil;
  }

  grow(root: OpPattern<any, any>): Graph {
    const results = this.#node(root);
    // A result that nobody reads is what some rules ask for.
    const read = results.filter((_, i) => i === 0 || this.#random.chance(0.5));
    const outputs = [...(this.#soil.readers?.(read, this.#edit, this.#random) ?? read)];
    if (this.#inner.length > 1 && this.#random.chance(0.2)) outputs.push(this.#random.pick(this.#inner));
    outputs.push(...(this.#soil.around?.(this.#named, this.#edit, this.#random) ?? []));
    this.#edit.setOutputs(outputs);
    return this.#graph;
  }

  #node(p: OpPattern<any, any>): readonly Value[] {
    const def: AnyOp = p.op;
    const operands: Record<string, Value | undefined> = {};
    let slots: (Value | undefined)[] = [];
    for (const name of def.operandNames) {
      const pattern = p.operands[name] as Pattern | undefined;
      if (def.operandNames.indexOf(name) === def.variadic) {
        const elements = pattern === undefined ? [undefined] : (pattern as ListPattern).elements;
        const list = elements.map((e) => (e === undefined ? this.#fresh('', 'any') : this.#value(e)));
        slots.push(...list);
        continue;
      }
      operands[name] =
        pattern === undefined ? this.#free(def, name, operands) : pattern.form === 'absent' ? undefined : this.#value(pattern);
      slots.push(operands[name]);
    }
    const pair = def.commutative;
    if (pair !== undefined && this.#random.chance(0.5)) {
      const [a, b] = pair.map((n) => def.operandNames.indexOf(n)) as [number, number];
      slots = slots.map((v, i) => (i === a ? slots[b] : i === b ? slots[a] : v));
    }
    const node = this.#edit.createFromSlots(def, slots, this.#attrs(def, slots));
    this.#inner.push(...node.results);
    return node.results;
  }

  #free(def: AnyOp, name: string, others: Readonly<Record<string, Value | undefined>>): Value | undefined {
    const given = this.#soil.free?.(def, name, this.#edit, this.#random, others);
    return given ?? (def.operands[name]!.kind === 'required' ? this.#fresh('', 'any') : undefined);
  }

  #value(p: Pattern): Value {
    switch (p.form) {
      case 'any':
      case 'constant': {
        const { name = '' } = p as ValuePattern;
        const known = name === '' ? undefined : this.#named.get(name);
        if (known !== undefined) return known;
        const made = this.#fresh(name, p.form);
        if (name !== '') this.#named.set(name, made);
        return made;
      }
      case 'op': {
        const inner = p as OpPattern;
        const known = inner.name === undefined ? undefined : this.#named.get(inner.name);
        if (known !== undefined) return known;
        const made = this.#node(inner)[inner.resultIndex]!;
        if (inner.name !== undefined) this.#named.set(inner.name, made);
        return made;
      }
      case 'maybe': {
        const { node, operand, inner } = p as MaybePattern;
        if (this.#random.chance(0.5)) return this.#value(inner);
        return this.#node({ ...node, operands: { ...node.operands, [operand]: inner } } as OpPattern)[node.resultIndex]!;
      }
      case 'through': {
        const { passages, inner } = p as ThroughPattern;
        let value = this.#value(inner);
        while (this.#random.chance(0.4)) {
          const { op, operand = op.operandNames[0]! } = this.#random.pick(passages);
          const slots = op.operandNames.map((n): Value | undefined => (n === operand ? value : undefined));
          value = this.#edit.createFromSlots(op, slots, this.#attrs(op, slots)).results[0]!;
        }
        return value;
      }
      case 'oneOf':
        return this.#value(this.#random.pick((p as OneOfPattern).options));
      default:
        throw new Error(`a pattern of form "${p.form}" stands where a value is expected`);
    }
  }

  #fresh(name: string, form: 'any' | 'constant'): Value {
    const random = this.#random;
    const { type, range, constant } = this.#soil.value?.(name, random, form) ?? {
      type: tensorType(
        'f32',
        Array.from({ length: random.int(1, 3) }, (): Dim => random.int(1, 5)),
      ),
      range: undefined,
      constant: undefined,
    };
    if (form === 'constant' || constant === true)
      return this.#edit.constant(
        constantOf(randomTensor(random, type.dtype, type.shape as readonly number[], range)),
        name === '' ? 'c' : name,
      );
    return this.#edit.addInput(`x${this.#inputs++}`, type);
  }

  #attrs(def: AnyOp, slots: readonly (Value | undefined)[]): AttrRecord {
    const given = this.#soil.attrs?.(def, this.#random, slots) ?? {};
    const out: Record<string, AttrValue> = {};
    for (const name of def.attrNames) {
      if (name in given) out[name] = given[name] as AttrValue;
      else if (!def.attrs[name].optional || this.#random.chance(0.2)) out[name] = randomAttr(def.attrs[name], this.#random);
    }
    return out;
  }
}

/** A random value of an attribute's kind. */
export function randomAttr(spec: AttrSpec<any>, random: Random): AttrValue {
  const list = <T>(one: () => T): readonly T[] => Array.from({ length: random.int(0, 3) }, one);
  const int = (): number => random.int(Math.max(spec.min ?? -2, -2), Math.min(spec.max ?? 3, 3));
  switch (spec.kind) {
    case 'int':
    case 'dim':
      return int();
    case 'ints':
    case 'dims':
      return list(int);
    case 'float':
      return random.next() * 2 - 1;
    case 'floats':
      return list(() => random.next());
    case 'bool':
      return random.chance(0.5);
    case 'bools':
      return list(() => random.chance(0.5));
    case 'string':
      return random.pick(spec.oneOf ?? ['']);
    case 'dtype':
      return random.pick(['f32', 'i32', 'i64', 'bool'] as const);
    case 'scalar':
      return random.pick([intScalar(1), floatScalar(0.5), boolScalar(true)]);
    case 'scalars':
      return list(() => intScalar(int()));
  }
}
