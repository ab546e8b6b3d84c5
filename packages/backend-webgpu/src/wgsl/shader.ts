import type { Binding, Dispatch, Launch, ParameterType, Sizes } from '../kernel.js';

/** The parts of a shader; {@link shader} writes declarations and entry point around them. */
export interface ShaderInit {
  readonly label: string;
  /** Directives at the very beginning, e.g. `enable f16;`. */
  readonly directives?: string;
  /** Threads of a workgroup; default 64. */
  readonly threads?: number;
  readonly bindings: readonly Binding[];
  /** Parameters by name; read as `P.name`. */
  readonly parameters?: Readonly<Record<string, ParameterType>>;
  /** Functions and workgroup variables. */
  readonly declarations?: string;
  /** Body of `main`; `group` is the number of the workgroup and `lane` that of the thread in it, both u32. */
  readonly body: string;
  readonly launch: (sizes: Sizes) => Launch;
}

/** Number of workgroups of `threads` that cover `count` threads. */
export const groupsFor = (count: number, threads = 64): number => Math.ceil(count / threads);

/** Writes a whole WGSL module; see {@link ShaderInit}. */
export function shader(init: ShaderInit): Dispatch {
  const parameters = [['grid', 'u32'] as const, ...Object.entries(init.parameters ?? {})];
  const fields = parameters.map(([name, type]) => `${name}: ${type}`).join(', ');
  const lines = [
    ...(init.directives === undefined ? [] : [init.directives]),
    `struct Parameters { ${fields} }`,
    '@group(0) @binding(0) var<uniform> P: Parameters;',
  ];
  init.bindings.forEach(({ name, type, access }, i) =>
    lines.push(`@group(0) @binding(${i + 1}) var<storage, ${access}> ${name}: ${type};`),
  );
  if (init.declarations) lines.push(init.declarations);
  lines.push(
    '',
    `@compute @workgroup_size(${init.threads ?? 64})`,
    'fn main(@builtin(workgroup_id) group_id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {',
    '  let group = group_id.x + group_id.y * P.grid;',
    indent(init.body),
    '}',
    '',
  );
  return { label: init.label, code: lines.join('\n'), bindings: init.bindings, parameters, launch: init.launch };
}

/** `text` moved right by two blanks, empty lines left out. */
export const indent = (text: string): string =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => `  ${line}`)
    .join('\n');

/** A number as a WGSL literal of type f32: finite numbers as they are, others through their bits. */
export function f32Literal(value: number): string {
  const x = Math.fround(value);
  // WGSL refuses literals that are not finite, and constant expressions that give them.
  if (Number.isNaN(x)) return 'nan()';
  if (!Number.isFinite(x)) return x > 0 ? 'infinity()' : '-infinity()';
  const text = String(x);
  return Object.is(x, -0) ? '-0.0f' : /[.e]/.test(text) ? `${text}f` : `${text}.0f`;
}

/** An integer as a WGSL literal of type i32. */
export const i32Literal = (value: number): string => (value === -2147483648 ? 'i32(-2147483647 - 1)' : `${value}i`);
