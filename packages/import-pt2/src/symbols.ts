import { type Dim, dimMul, dimSymbols, dimText, type ShapeEnv, SymExpr, type TensorType, tensorType } from '@qfuse/plugin';
import { dtypeOf } from './dtypes.js';
import { programError, quote, unsupported } from './errors.js';
import type { Program, Sym, SymArgument, TensorMeta } from './schema.js';
import { isUnbacked, type Relation, SymReader } from './sym-dims.js';

/** The sizes of a program as dims, and the facts about their symbols in the graph's shape env. */
export class Symbols {
  readonly #program: Program;
  readonly #env: ShapeEnv;
  readonly #reader: SymReader;

  constructor(program: Program, env: ShapeEnv) {
    this.#program = program;
    this.#env = env;
    this.#reader = new SymReader((name, positive) => this.#declare(name, positive));
  }

  #declare(name: string, positive: boolean): void {
    const range = this.#program.rangeConstraints.get(name);
    // A size without a range is what sympy assumes of it: positive, or else at least not negative.
    this.#env.declare(name, {
      min: Math.max(range?.min ?? (positive ? 1 : 0), 0),
      max: range?.max ?? Number.POSITIVE_INFINITY,
      source: range === undefined ? 'a size' : 'range constraint of the file',
    });
  }

  /** The dim that a recorded size stands for. */
  dim(size: Sym<number>): Dim {
    return typeof size === 'number' ? size : this.#reader.dim(size.expr);
  }

  /** The recorded type of tensor `name`. @throws QfuseError `pt2/unsupported-dtype` or `pt2/program` */
  type(name: string): TensorType {
    const meta = this.#program.tensorValues.get(name);
    if (meta === undefined) throw programError(`no type is recorded of tensor ${quote(name)}`);
    const shape = meta.sizes.map((s) => this.dim(s));
    const negative = shape.find((d) => typeof d === 'number' && d < 0);
    if (negative !== undefined) throw programError(`tensor ${quote(name)} has size ${dimText(negative)}`);
    return tensorType(dtypeOf(meta.dtype, `tensor ${quote(name)}`), shape);
  }

  /** A symbol in the recorded shape of `name` whose value only a run can know. */
  unbackedIn(name: string): string | undefined {
    const sizes = this.#program.tensorValues.get(name)?.sizes ?? [];
    return sizes.map((s) => (typeof s === 'number' ? undefined : unbackedSymbol(this.dim(s)))).find((s) => s !== undefined);
  }

  /** Whether the recorded strides of `name` are those of a contiguous tensor. */
  contiguous(name: string): boolean {
    const meta = this.#program.tensorValues.get(name);
    return meta !== undefined && this.#isContiguous(meta);
  }

  #isContiguous(meta: TensorMeta): boolean {
    const sizes = meta.sizes.map((s) => this.dim(s));
    const strides = meta.strides.map((s) => this.dim(s));
    if (sizes.includes(0)) return true;
    let expected: Dim = 1;
    for (let i = sizes.length - 1; i >= 0; i--) {
      if (sizes[i] === 1) continue;
      if (this.#env.equal(strides[i]!, expected) !== 'yes') return false;
      expected = dimMul(expected, sizes[i]!);
    }
    return true;
  }

  /**
   * The dim of a symbolic integer argument.
   * @throws QfuseError `pt2/unsupported-dynamic` when only a run can know it
   */
  integer(arg: SymArgument<number | bigint>, who: string): Dim | bigint {
    if ('value' in arg) return arg.value;
    const value = this.#program.symIntValues.get(arg.name);
    if (value === undefined) throw programError(`${who} uses ${quote(arg.name)}, which is not a symbolic integer`);
    const dim = this.dim(value);
    const unbacked = unbackedSymbol(dim);
    if (unbacked !== undefined)
      throw unsupported(
        'dynamic',
        `${who} uses ${quote(arg.name)} = ${dimText(dim)}, which depends on the data of a run`,
        'sizes may depend on input shapes only',
      );
    return dim;
  }

  /** The recorded value of a symbolic integer, data-dependent or not. */
  recordedInteger(name: string): Dim | undefined {
    const value = this.#program.symIntValues.get(name);
    return value === undefined ? undefined : this.dim(value);
  }

  /** The number of a symbolic float argument. @throws QfuseError `pt2/unsupported-dynamic` when it depends on sizes or data */
  float(arg: SymArgument<number>, who: string): number {
    if ('value' in arg) return arg.value;
    const value = this.#program.symFloatValues.get(arg.name);
    if (typeof value === 'number') return value;
    throw unsupported(
      'dynamic',
      `${who} uses the float ${quote(arg.name)}${value === undefined ? '' : ` = ${quote(value.expr)}`}, which depends on sizes or data`,
    );
  }

  /** The value of a symbolic bool argument. @throws QfuseError `pt2/unsupported-dynamic` when it depends on sizes or data */
  bool(arg: SymArgument<boolean>, who: string): boolean {
    if ('value' in arg) return arg.value;
    const value = this.#program.symBoolValues.get(arg.name);
    if (typeof value === 'boolean') return value;
    throw unsupported(
      'dynamic',
      `${who} uses the condition ${quote(arg.name)}${value === undefined ? '' : ` = ${quote(value.expr)}`}, which depends on sizes or data`,
    );
  }

  /** The relation that a symbolic condition states, if it is one between backed sizes. */
  conditionOf(name: string): Relation | undefined {
    const value = this.#program.symBoolValues.get(name);
    return value === undefined || typeof value === 'boolean' ? undefined : this.#reader.relation(value.expr);
  }

  /**
   * Adds a relation to the facts, as far as facts can say it: bounds and divisibility of one symbol.
   * @returns whether the env now implies the relation
   */
  learn({ kind, left, right }: Relation, source: string): boolean {
    if ([left, right].some((d) => unbackedSymbol(d) !== undefined)) return true;
    if (kind === 'ne') return this.#env.equal(left, right) === 'no';
    const strict = kind === 'lt' ? 1 : 0;
    const [l, r] = [plainSymbol(left), plainSymbol(right)];
    if (typeof right === 'number' && l !== undefined && kind !== 'eq') this.#env.declare(l, { max: right - strict, source });
    else if (typeof left === 'number' && r !== undefined && kind !== 'eq') this.#env.declare(r, { min: left + strict, source });
    else if (kind === 'eq') {
      const rest = right === 0 ? left : left === 0 ? right : undefined;
      const multiple = rest === undefined ? undefined : modulus(rest);
      if (multiple !== undefined) this.#env.declare(multiple.symbol, { divisor: multiple.by, source });
      return this.#env.equal(left, right) === 'yes';
    }
    // left < right is not (right <= left)
    return strict === 1 ? this.#env.lessEqual(right, left) === 'no' : this.#env.lessEqual(left, right) === 'yes';
  }
}

/** The first unbacked symbol of a dim. */
const unbackedSymbol = (dim: Dim): string | undefined => [...dimSymbols(dim)].find(isUnbacked);

/** The name of a dim that is just a symbol. */
function plainSymbol(dim: Dim): string | undefined {
  if (!(dim instanceof SymExpr) || dim.constant !== 0 || dim.terms.length !== 1) return undefined;
  const [{ coefficient, factors }] = dim.terms as [SymExpr['terms'][number]];
  return coefficient === 1 && factors.length === 1 && factors[0]!.kind === 'symbol' ? factors[0]!.name : undefined;
}

/** `mod(symbol, number)` taken apart. */
function modulus(dim: Dim): { readonly symbol: string; readonly by: number } | undefined {
  if (!(dim instanceof SymExpr) || dim.constant !== 0 || dim.terms.length !== 1 || dim.terms[0]!.factors.length !== 1) return undefined;
  const [factor] = dim.terms[0]!.factors;
  if (factor!.kind !== 'mod') return undefined;
  const symbol = plainSymbol(factor!.args[0]);
  const by = factor!.args[1];
  return symbol !== undefined && typeof by === 'number' && by > 0 ? { symbol, by } : undefined;
}
