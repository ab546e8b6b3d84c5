import {
  below,
  boolean,
  type Decoder,
  dictionary,
  float,
  integer,
  list,
  object,
  optional,
  pathText,
  record,
  refuse,
  root,
  smallInteger,
  string,
  union,
} from './decode.js';
import { programError, versionError } from './errors.js';
import type { Json } from './json.js';
import { MAX_EXPR_CHARS, MAX_RANK } from './limits.js';
import type {
  Argument,
  InputSpec,
  NamedArgument,
  OutputSpec,
  PayloadMeta,
  Program,
  ProgramGraph,
  ProgramNode,
  RangeConstraint,
  Sym,
  SymArgument,
  SymExprText,
  TensorMeta,
} from './schema.js';

/** The major version of the schema that is read; minor versions only add fields. */
const SCHEMA_MAJOR = 8;

/** `inner`, then `wrap`. */
const map =
  <A, B>(inner: Decoder<A>, wrap: (value: A) => B): Decoder<B> =>
  (value, path) =>
    wrap(inner(value, path));

const bounded =
  <T>(inner: Decoder<readonly T[]>, most: number): Decoder<readonly T[]> =>
  (value, path) => {
    const read = inner(value, path);
    return read.length > most ? refuse(path, `a list of at most ${most}`, value) : read;
  };

const exprText: Decoder<SymExprText> = (value, path) => {
  const { expr } = record<SymExprText>({ expr: ['expr_str', string] })(value, path);
  return expr.length > MAX_EXPR_CHARS ? refuse(path, `an expression of at most ${MAX_EXPR_CHARS} characters`, expr) : { expr };
};

const symInt = union<Sym<number>>({ as_expr: exprText, as_int: smallInteger }, 'SymInt');
const symFloat = union<Sym<number>>({ as_expr: exprText, as_float: float }, 'SymFloat');
const symBool = union<Sym<boolean>>({ as_expr: exprText, as_bool: boolean }, 'SymBool');

const tensorMeta = record<TensorMeta>({
  dtype: ['dtype', smallInteger],
  sizes: ['sizes', bounded(list(symInt), MAX_RANK)],
  strides: ['strides', bounded(list(symInt), MAX_RANK)],
  storageOffset: ['storage_offset', symInt],
  layout: ['layout', smallInteger],
});

const named = record<{ readonly name: string }>({ name: ['name', string] });
const asName: Decoder<{ readonly name: string }> = map(string, (name) => ({ name }));
const symArgument = <T>(tag: string, value: Decoder<T>): Decoder<SymArgument<T>> =>
  union<SymArgument<T>>({ as_name: asName, [tag]: map(value, (v) => ({ value: v })) }, 'symbolic argument');
const symIntArgument = symArgument('as_int', integer);
const symFloatArgument = symArgument('as_float', float);
const symBoolArgument = symArgument('as_bool', boolean);

const nothing = (): Argument => ({ kind: 'none' });
const optionalTensor = union<string | undefined>({ as_tensor: map(named, (t) => t.name), as_none: () => undefined }, 'optional tensor');
const refused =
  (what: string): Decoder<Argument> =>
  () => ({ kind: 'refused', what });

const argument: Decoder<Argument> = union<Argument>(
  {
    as_none: nothing,
    as_tensor: map(named, ({ name }) => ({ kind: 'tensor', name })),
    as_tensors: map(list(named), (all) => ({ kind: 'tensors', names: all.map((t) => t.name) })),
    as_optional_tensor: map(optionalTensor, (name) => (name === undefined ? { kind: 'none' } : { kind: 'tensor', name })),
    as_optional_tensors: map(list(optionalTensor), (names) => ({ kind: 'tensors', names })),
    as_int: map(integer, (value) => ({ kind: 'int', value })),
    as_ints: map(list(integer), (values) => ({ kind: 'ints', values })),
    as_float: map(float, (value) => ({ kind: 'float', value })),
    as_floats: map(list(float), (values) => ({ kind: 'floats', values })),
    as_bool: map(boolean, (value) => ({ kind: 'bool', value })),
    as_bools: map(list(boolean), (values) => ({ kind: 'bools', values })),
    as_string: map(string, (value) => ({ kind: 'string', value })),
    as_strings: map(list(string), (values) => ({ kind: 'strings', values })),
    as_sym_int: map(symIntArgument, (arg) => ({ kind: 'sym-int', arg })),
    as_sym_ints: map(list(symIntArgument), (args) => ({ kind: 'sym-ints', args })),
    as_sym_float: map(symFloatArgument, (arg) => ({ kind: 'sym-float', arg })),
    as_sym_floats: map(list(symFloatArgument), (args) => ({ kind: 'sym-floats', args })),
    as_sym_bool: map(symBoolArgument, (arg) => ({ kind: 'sym-bool', arg })),
    as_sym_bools: map(list(symBoolArgument), (args) => ({ kind: 'sym-bools', args })),
    as_scalar_type: map(smallInteger, (value) => ({ kind: 'scalar-type', value })),
    as_memory_format: map(smallInteger, (value) => ({ kind: 'memory-format', value })),
    as_layout: map(smallInteger, (value) => ({ kind: 'layout', value })),
    as_device: map(record<{ readonly type: string }>({ type: ['type', string] }), ({ type }) => ({ kind: 'device', type })),
    // the body of a higher-order operator; the function defers what is defined below
    as_graph: (value, path) => ({
      kind: 'graph',
      graph: record<{ readonly graph: ProgramGraph }>({ graph: ['graph', programGraph] })(value, path).graph,
    }),
    as_custom_obj: refused('a custom object'),
    as_operator: refused('an operator'),
    as_complex: refused('a complex number'),
    as_nested_tensors: refused('a list of tensor lists'),
    as_int_lists: refused('a list of int lists'),
    as_float_lists: refused('a list of float lists'),
    as_string_to_argument: refused('a dictionary'),
  },
  'argument',
);

const namedArgument = record<NamedArgument>({ name: ['name', string], arg: ['arg', argument] });

/** The innermost module path of `key,path,type;key,path,type`; generic segments such as `L__self__` are no path. */
function scopeOf(stack: Json | undefined): string {
  if (typeof stack !== 'string') return '';
  const last = stack.slice(stack.lastIndexOf(';') + 1);
  return last.split(',')[1] ?? '';
}

const programNode: Decoder<ProgramNode> = (value, path) => {
  const fields = object(value, path);
  const at = (key: string) => below(path, key);
  const outputs = list(argument)(fields.get('outputs'), at('outputs'));
  const [first] = outputs;
  const fallback = first?.kind === 'tensor' ? first.name : first?.kind === 'tensors' ? (first.names[0] ?? '') : String(path.key);
  return Object.freeze({
    target: string(fields.get('target'), at('target')),
    inputs: list(namedArgument)(fields.get('inputs'), at('inputs')),
    outputs,
    name: optional(string)(fields.get('name'), at('name')) ?? fallback,
    scope: scopeOf(optional(object)(fields.get('metadata'), at('metadata'))?.get('nn_module_stack')),
  });
};

const graphFields = record<Omit<ProgramGraph, 'symFloatValues'> & { readonly symFloats: ProgramGraph['symFloatValues'] | undefined }>({
  inputs: ['inputs', list(argument)],
  outputs: ['outputs', list(argument)],
  nodes: ['nodes', list(programNode)],
  tensorValues: ['tensor_values', dictionary(tensorMeta)],
  symIntValues: ['sym_int_values', dictionary(symInt)],
  symBoolValues: ['sym_bool_values', dictionary(symBool)],
  symFloats: ['sym_float_values', optional(dictionary(symFloat))],
});

const programGraph: Decoder<ProgramGraph> = map(graphFields, ({ symFloats, ...graph }) => ({
  ...graph,
  symFloatValues: symFloats ?? new Map<string, Sym<number>>(),
}));

/** `{ arg: { name }, <target>: string }` */
const placed = <K extends string>(kind: K, field: string): Decoder<{ readonly kind: K; readonly name: string; readonly target: string }> =>
  map(
    record<{ readonly arg: { readonly name: string }; readonly target: string }>({ arg: ['arg', named], target: [field, string] }),
    ({ arg, target }) => ({ kind, name: arg.name, target }),
  );

const withArgument = record<{ readonly arg: Argument }>({ arg: ['arg', argument] });
const refusedSpec =
  (what: string): Decoder<{ readonly kind: 'refused'; readonly what: string }> =>
  () => ({ kind: 'refused', what });

const inputSpec = union<InputSpec>(
  {
    user_input: map(withArgument, ({ arg }) => ({ kind: 'user-input', arg })),
    parameter: placed('parameter', 'parameter_name'),
    buffer: placed('buffer', 'buffer_name'),
    tensor_constant: placed('tensor-constant', 'tensor_constant_name'),
    constant_input: map(named, ({ name }) => ({ kind: 'constant-input', name })),
    custom_obj: map(record<{ readonly target: string }>({ target: ['custom_obj_name', string] }), ({ target }) => ({
      kind: 'refused',
      what: `the custom object ${JSON.stringify(target)}`,
    })),
    token: refusedSpec('an effect token'),
  },
  'input',
);

const outputSpec = union<OutputSpec>(
  {
    user_output: map(withArgument, ({ arg }) => ({ kind: 'user-output', arg })),
    loss_output: map(record<{ readonly arg: { readonly name: string } }>({ arg: ['arg', named] }), ({ arg }) => ({
      kind: 'loss-output',
      name: arg.name,
    })),
    buffer_mutation: placed('buffer-mutation', 'buffer_name'),
    parameter_mutation: placed('parameter-mutation', 'parameter_name'),
    user_input_mutation: placed('user-input-mutation', 'user_input_name'),
    gradient_to_parameter: refusedSpec('a gradient'),
    gradient_to_user_input: refusedSpec('a gradient'),
    token: refusedSpec('an effect token'),
  },
  'output',
);

const signature = record<Pick<Program, 'inputSpecs' | 'outputSpecs'>>({
  inputSpecs: ['input_specs', list(inputSpec)],
  outputSpecs: ['output_specs', list(outputSpec)],
});
const graphModule = record<{ readonly graph: ProgramGraph; readonly signature: ReturnType<typeof signature> }>({
  graph: ['graph', programGraph],
  signature: ['signature', signature],
});

/** A bound; torch writes null, or an integer, for "none" sometimes one near the ends of 64 bits. */
const bound: Decoder<number | undefined> = (value, path) => {
  const read = optional(integer)(value, path);
  return typeof read === 'bigint' ? undefined : read;
};

const rangeConstraint = record<RangeConstraint>({ min: ['min_val', bound], max: ['max_val', bound] });

/** Refuses other schema versions before anything else of the program is looked at. */
function checkVersion(program: ReadonlyMap<string, Json>, name: string): void {
  const path = below(root(name), 'schema_version');
  if (!program.has('schema_version')) throw programError(`${name} has no "schema_version": it is not an exported program`);
  const { major, minor } = record<{ readonly major: number; readonly minor: number }>({
    major: ['major', smallInteger],
    minor: ['minor', smallInteger],
  })(program.get('schema_version'), path);
  if (major !== SCHEMA_MAJOR)
    throw versionError(
      `${name} has export schema version ${major}.${minor}, expected ${SCHEMA_MAJOR}.x`,
      major < SCHEMA_MAJOR ? 'export the model again with a newer torch' : 'use a newer qfuse, or export with the torch of schema 8',
    );
}

/**
 * The program of a parsed `models/<model>.json`.
 * @param name - names the file in messages
 * @throws QfuseError `pt2/version` for another schema, `pt2/program` naming the path of what is wrong
 */
export function decodeProgram(json: Json, name: string): Program {
  const top = object(json, root(name));
  checkVersion(top, name);
  const read = record<{
    readonly module: ReturnType<typeof graphModule>;
    readonly ranges: Program['rangeConstraints'];
    readonly guards: readonly string[] | undefined;
    readonly torch: string | undefined;
  }>({
    module: ['graph_module', graphModule],
    ranges: ['range_constraints', dictionary(rangeConstraint)],
    guards: ['guards_code', optional(list(string))],
    torch: ['torch_version', optional(string)],
  })(json, root(name));
  return Object.freeze({
    ...read.module.graph,
    ...read.module.signature,
    rangeConstraints: read.ranges,
    guardsCode: read.guards ?? [],
    torchVersion: read.torch ?? 'unknown',
  });
}

const payloadMeta = record<PayloadMeta>({
  pathName: ['path_name', string],
  usePickle: ['use_pickle', boolean],
  tensorMeta: ['tensor_meta', optional(tensorMeta)],
});

/** The tensors of a parsed `*_weights_config.json` or `*_constants_config.json`, by qualified name. */
export function decodePayloads(json: Json, name: string): ReadonlyMap<string, PayloadMeta> {
  const path = below(root(name), 'config');
  const config = object(json, root(name)).get('config');
  if (config === undefined) throw programError(`${pathText(root(name))} has no "config"`);
  return dictionary(payloadMeta)(config, path);
}
