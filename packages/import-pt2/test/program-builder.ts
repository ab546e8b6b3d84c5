import { buildZip, type ZipFile } from './zip-builder.js';

/* eslint-disable @typescript-eslint/no-explicit-any */
export type Doc = any;

/** The recorded type of a tensor: contiguous unless strides are given. */
export function meta(dtype: number, sizes: readonly (number | string)[], strides?: readonly number[], offset = 0): Doc {
  const sym = (s: number | string): Doc => (typeof s === 'number' ? { as_int: s } : { as_expr: { expr_str: s, hint: null } });
  let run = 1;
  const own = sizes.map(() => 0);
  for (let i = sizes.length - 1; i >= 0; i--) {
    own[i] = run;
    run *= typeof sizes[i] === 'number' ? (sizes[i] as number) : 2;
  }
  return {
    dtype,
    sizes: sizes.map(sym),
    requires_grad: false,
    device: { type: 'cpu', index: null },
    strides: (strides ?? own).map(sym),
    storage_offset: { as_int: offset },
    layout: 7,
  };
}

export const tensorArg = (name: string): Doc => ({ as_tensor: { name } });

/** One node: `outputs` names its tensor results. */
export function node(target: string, inputs: Record<string, Doc>, outputs: readonly string[] | Doc[], more: Record<string, Doc> = {}): Doc {
  return {
    target: `torch.ops.${target}`,
    inputs: Object.entries(inputs).map(([name, arg]) => ({ name, arg: typeof arg === 'string' ? tensorArg(arg) : arg, kind: 1 })),
    outputs: outputs.map((o) => (typeof o === 'string' ? tensorArg(o) : o)),
    metadata: {},
    is_hop_single_tensor_return: null,
    name: typeof outputs[0] === 'string' ? outputs[0] : 'node',
    ...more,
  };
}

/** What {@link program} takes: tensors by name with their recorded types. */
export interface ProgramInit {
  readonly inputs: Record<string, Doc>;
  readonly weights?: Record<string, Doc>;
  readonly buffers?: Record<string, Doc>;
  readonly nodes: readonly Doc[];
  /** Recorded types of results. */
  readonly values: Record<string, Doc>;
  readonly outputs: readonly (string | Doc)[];
  readonly symInts?: Record<string, Doc>;
  readonly symBools?: Record<string, Doc>;
  readonly ranges?: Record<string, Doc>;
  readonly guards?: readonly string[];
  readonly mutations?: Record<string, string>;
}

/** A program document as `torch.export.save` writes it. */
export function program(init: ProgramInit): Doc {
  const weights = Object.keys(init.weights ?? {});
  const buffers = Object.keys(init.buffers ?? {});
  const users = Object.keys(init.inputs);
  const outputs = init.outputs.map((o) => (typeof o === 'string' ? tensorArg(o) : o));
  const mutations = Object.entries(init.mutations ?? {});
  return {
    graph_module: {
      graph: {
        inputs: [...weights.map((w) => `p_${w}`), ...buffers.map((b) => `b_${b}`), ...users].map(tensorArg),
        outputs: [...mutations.map(([, value]) => tensorArg(value)), ...outputs],
        nodes: init.nodes,
        tensor_values: {
          ...Object.fromEntries(Object.entries(init.weights ?? {}).map(([k, v]) => [`p_${k}`, v])),
          ...Object.fromEntries(Object.entries(init.buffers ?? {}).map(([k, v]) => [`b_${k}`, v])),
          ...init.inputs,
          ...init.values,
        },
        sym_int_values: init.symInts ?? {},
        sym_bool_values: init.symBools ?? {},
        is_single_tensor_return: false,
        custom_obj_values: {},
        sym_float_values: {},
      },
      signature: {
        input_specs: [
          ...weights.map((w) => ({ parameter: { arg: { name: `p_${w}` }, parameter_name: w } })),
          ...buffers.map((b) => ({ buffer: { arg: { name: `b_${b}` }, buffer_name: b, persistent: true } })),
          ...users.map((u) => ({ user_input: { arg: tensorArg(u) } })),
        ],
        output_specs: [
          ...mutations.map(([target, value]) => ({ buffer_mutation: { arg: { name: value }, buffer_name: target } })),
          ...outputs.map((arg) => ({ user_output: { arg } })),
        ],
      },
      module_call_graph: [],
      metadata: {},
      treespec_namedtuple_fields: {},
    },
    opset_version: { aten: 10 },
    range_constraints: init.ranges ?? {},
    schema_version: { major: 8, minor: 20 },
    verifiers: ['TRAINING'],
    torch_version: '2.13.0+cpu',
    guards_code: init.guards ?? [],
  };
}

/** A stored tensor: where it is and how it lies there. */
interface Stored {
  readonly file: string;
  readonly meta: Doc;
  readonly pickle?: boolean;
}

export interface ArchiveInit {
  readonly document: Doc;
  readonly weights?: Record<string, Stored>;
  readonly constants?: Record<string, Stored>;
  readonly files?: Record<string, Uint8Array>;
  /** Replaces files by name (undefined removes one) before the zip is made. */
  readonly change?: Record<string, string | Uint8Array | undefined>;
  readonly deflate?: boolean;
}

const config = (stored: Record<string, Stored>): string =>
  JSON.stringify({
    config: Object.fromEntries(
      Object.entries(stored).map(([k, s]) => [
        k,
        { path_name: s.file, is_param: true, use_pickle: s.pickle ?? false, tensor_meta: s.meta },
      ]),
    ),
  });

/** Bytes of a `.pt2` archive. */
export function archive({ document, weights = {}, constants = {}, files = {}, change = {}, deflate = false }: ArchiveInit): Uint8Array {
  const all: Record<string, string | Uint8Array | undefined> = {
    ...Object.fromEntries(Object.entries(files).map(([k, v]) => [`data/${k.startsWith('tensor_') ? 'constants' : 'weights'}/${k}`, v])),
    'data/weights/model_weights_config.json': config(weights),
    'data/constants/model_constants_config.json': config(constants),
    'models/model.json': typeof document === 'string' ? document : JSON.stringify(document),
    archive_format: 'pt2',
    archive_version: '0',
    byteorder: 'little',
    ...change,
  };
  const list: ZipFile[] = Object.entries(all).flatMap(([name, data]) => (data === undefined ? [] : [{ name: `m/${name}`, data, deflate }]));
  return buildZip(list);
}

export const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
