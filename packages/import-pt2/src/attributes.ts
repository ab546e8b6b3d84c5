import { type AttrSpec, type AttrValue, boolScalar, type Dim, floatScalar, intScalar, type Scalar, SymExpr } from '@qfuse/plugin';
import { dtypeOf } from './dtypes.js';
import { unsupported } from './errors.js';
import type { Argument } from './schema.js';
import type { Symbols } from './symbols.js';

/** What an argument is, in words, for messages. */
export function describeArgument(arg: Argument): string {
  switch (arg.kind) {
    case 'refused':
      return arg.what;
    case 'graph':
      return 'a subgraph';
    case 'none':
      return 'None';
    case 'tensor':
      return 'a tensor';
    case 'tensors':
      return 'a list of tensors';
    case 'int':
    case 'float':
    case 'bool':
      return `the ${arg.kind} ${arg.value}`;
    case 'string':
      return JSON.stringify(arg.value.slice(0, 40));
    default:
      return `a value of kind ${arg.kind}`;
  }
}

/** The Python number that an argument is, or undefined when it is none or is symbolic. */
export function scalarOf(arg: Argument, symbols: Symbols, who: string): Scalar | undefined {
  switch (arg.kind) {
    case 'int':
      return intScalar(arg.value);
    case 'float':
      return floatScalar(arg.value);
    case 'bool':
      return boolScalar(arg.value);
    case 'sym-int': {
      const dim = symbols.integer(arg.arg, who);
      return dim instanceof SymExpr ? undefined : intScalar(dim);
    }
    case 'sym-float':
      return floatScalar(symbols.float(arg.arg, who));
    case 'sym-bool':
      return boolScalar(symbols.bool(arg.arg, who));
    default:
      return undefined;
  }
}

/** The elements of a list argument, each as an argument; undefined for other arguments. */
function elementsOf(arg: Argument): readonly Argument[] | undefined {
  switch (arg.kind) {
    case 'ints':
      return arg.values.map((value) => ({ kind: 'int', value }));
    case 'floats':
      return arg.values.map((value) => ({ kind: 'float', value }));
    case 'bools':
      return arg.values.map((value) => ({ kind: 'bool', value }));
    case 'sym-ints':
      return arg.args.map((a) => ({ kind: 'sym-int', arg: a }));
    case 'sym-floats':
      return arg.args.map((a) => ({ kind: 'sym-float', arg: a }));
    case 'sym-bools':
      return arg.args.map((a) => ({ kind: 'sym-bool', arg: a }));
    // torch writes an empty list of anything as a list of tensors
    case 'tensors':
      return arg.names.length === 0 ? [] : undefined;
    default:
      return undefined;
  }
}

/** Python's `sys.maxsize`, which stands for the end of a slice. */
const INT64_MAX = 2n ** 63n - 1n;

const listKinds: Readonly<Record<string, AttrSpec['kind']>> = {
  ints: 'int',
  floats: 'float',
  bools: 'bool',
  scalars: 'scalar',
  dims: 'dim',
};

/**
 * An argument as an attribute of kind `spec.kind`.
 * @param who - node, operator and argument, for messages
 * @throws QfuseError `pt2/unsupported-argument` when the attribute cannot hold it, `pt2/unsupported-dynamic` when only a run can know it
 */
export function attributeOf(spec: AttrSpec<unknown>, arg: Argument, symbols: Symbols, who: string): AttrValue {
  const mismatch = (expected: string): never => {
    throw unsupported('argument', `${who} is ${describeArgument(arg)}, expected ${expected}`);
  };
  // Python's `x[a:]` ends at INT64_MAX; an optional end is then left out.
  const unbounded = arg.kind === 'int' && arg.value === INT64_MAX && spec.optional && spec.default === undefined;
  if (arg.kind === 'none' || unbounded) return spec.optional ? undefined : mismatch(spec.kind);
  const element = listKinds[spec.kind];
  if (element !== undefined) {
    // A single number stands for a list of one, as torch's `int[1]` does.
    const elements = elementsOf(arg) ?? [arg];
    return elements.map((e) => attributeOf({ ...spec, kind: element, optional: false }, e, symbols, who)) as unknown as AttrValue;
  }
  const integer = (): Dim | undefined => {
    const value =
      arg.kind === 'int'
        ? arg.value
        : arg.kind === 'sym-int'
          ? symbols.integer(arg.arg, who)
          : arg.kind === 'bool'
            ? Number(arg.value)
            : undefined;
    if (typeof value !== 'bigint') return value;
    // Bounds of slices: the ends of 64 bits mean "without end".
    if (value === INT64_MAX) return Number.MAX_SAFE_INTEGER;
    return value === -INT64_MAX - 1n ? Number.MIN_SAFE_INTEGER : mismatch('an integer of at most 2^53');
  };
  switch (spec.kind) {
    case 'dim':
      return integer() ?? mismatch('an integer');
    case 'int': {
      const value = integer();
      return typeof value === 'number' ? value : mismatch(value === undefined ? 'an integer' : 'an integer that does not depend on sizes');
    }
    case 'float': {
      const value = scalarOf(arg, symbols, who);
      return value === undefined ? mismatch('a number that does not depend on sizes') : Number(value.value);
    }
    case 'scalar':
      return scalarOf(arg, symbols, who) ?? mismatch('a number that does not depend on sizes');
    case 'bool':
      return arg.kind === 'bool'
        ? arg.value
        : arg.kind === 'sym-bool'
          ? symbols.bool(arg.arg, who)
          : arg.kind === 'int'
            ? Number(arg.value) !== 0
            : mismatch('true or false');
    case 'string':
      return arg.kind === 'string' ? arg.value : mismatch('a string');
    case 'dtype':
      return arg.kind === 'scalar-type' ? dtypeOf(arg.value, who) : mismatch('a dtype');
    default:
      return mismatch(spec.kind);
  }
}
