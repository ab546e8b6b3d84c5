import { boolScalar, floatScalar, intScalar, type Scalar, scalarNumber } from '@qfuse/plugin';
import type { ErrorBound, KernelSample, SampleTensor, WebGPUKernel } from '../kernel.js';
import type { ScalarType } from '../storage.js';
import { convert } from '../wgsl/elements.js';
import { type Elementwise, elementwise, literal } from './elementwise.js';
import { attrOf, hasOp } from './ops.js';
import { extremePairs, extremes, f32, sample } from './samples.js';

/**
 * Ops of two operands (or an operand and a scalar), element by element: arithmetic, comparisons, logic.
 * `a` and `b` are WGSL of the computing type.
 */
export type Form = (a: string, b: string) => string;
export type Forms = Partial<Record<ScalarType, Form>>;

export const close: ErrorBound = { absolute: 2 ** -24, relative: 2 ** -19 };
/** The logarithm's rounding error grows with the exponent of the result. */
const powers: ErrorBound = { absolute: 2 ** -24, relative: 2 ** -15 };
const numeric = (form: Form): Forms => ({ f32: form, i32: form, u32: form });
const infix =
  (sign: string): Form =>
  (a, b) =>
    `(${a} ${sign} ${b})`;
export const call =
  (name: string): Form =>
  (a, b) =>
    `${name}(${a}, ${b})`;

const arithmetic: Readonly<Record<string, Forms>> = {
  mul: { ...numeric(infix('*')), bool: infix('&&') },
  div: { f32: infix('/') },
  floor_divide: { f32: call('float_floor_divide'), i32: call('floor_divide'), u32: infix('/') },
  remainder: { f32: call('float_remainder'), i32: call('floor_modulo'), u32: infix('%') },
  fmod: { f32: call('float_modulo'), i32: infix('%'), u32: infix('%') },
  maximum: { f32: call('maximum'), i32: call('max'), u32: call('max'), bool: infix('||') },
  minimum: { f32: call('minimum'), i32: call('min'), u32: call('min'), bool: infix('&&') },
  fmax: {
    f32: (a, b) => `select(select(max(${a}, ${b}), ${a}, is_nan(${b})), ${b}, is_nan(${a}))`,
    i32: call('max'),
    u32: call('max'),
    bool: infix('||'),
  },
  fmin: {
    f32: (a, b) => `select(select(min(${a}, ${b}), ${a}, is_nan(${b})), ${b}, is_nan(${a}))`,
    i32: call('min'),
    u32: call('min'),
    bool: infix('&&'),
  },
  pow: { f32: call('power'), i32: call('integer_power'), u32: (a, b) => `u32(integer_power(i32(${a}), i32(${b})))` },
  bitwise_and: { i32: infix('&'), u32: infix('&'), bool: infix('&&') },
  bitwise_or: { i32: infix('|'), u32: infix('|'), bool: infix('||') },
  bitwise_xor: { i32: infix('^'), u32: infix('^'), bool: infix('!=') },
};

/** `self ± alpha · other`, and `other - alpha · self` */
const sums: Readonly<Record<string, Forms>> = {
  add: { ...numeric(infix('+')), bool: infix('||') },
  sub: numeric(infix('-')),
};
const reversed: Forms = numeric((a, b) => `(${b} - ${a})`);

const comparisons: Readonly<Record<string, string>> = { eq: '==', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' };

// A NaN compares unequal to everything; drivers that assume there are none may say otherwise.
const compare = (sign: string): Forms => ({
  ...numeric(infix(sign)),
  f32: (a, b) =>
    sign === '!=' ? `(${a} != ${b} || is_nan(${a}) || is_nan(${b}))` : `(${a} ${sign} ${b} && !is_nan(${a}) && !is_nan(${b}))`,
});

const logical: Readonly<Record<string, string>> = { logical_and: '&&', logical_or: '||', logical_xor: '!=' };
const truth = (x: string, type: ScalarType): string => convert(x, type, 'bool');

export const expression =
  (forms: Forms): Elementwise['expression'] =>
  ([a, b], type) =>
    forms[type]?.(a!, b!);

const scaled =
  (forms: Forms, which: 'self' | 'other'): Elementwise['expression'] =>
  ([a, b], type, node) => {
    const alpha = attrOf<Scalar | undefined>(node, 'alpha');
    if (alpha === undefined || scalarNumber(alpha) === 1) return forms[type]?.(a!, b!);
    const times = (x: string): string => `(${literal(alpha, type)} * ${x})`;
    return type === 'bool' ? undefined : which === 'self' ? forms[type]?.(times(a!), b!) : forms[type]?.(a!, times(b!));
  };

const division: Elementwise['expression'] = ([a, b], type, node) => {
  const mode = attrOf<string | undefined>(node, 'rounding_mode');
  if (mode === undefined) return type === 'f32' ? `(${a} / ${b})` : undefined;
  if (mode === 'floor') return expression(arithmetic['floor_divide']!)([a, b], type, node);
  return type === 'f32' ? `trunc(correct_quotient(${a}, ${b}))` : type === 'bool' ? undefined : `(${a} / ${b})`;
};

/** The spellings of a binary op: two tensors, tensor and scalar, scalar and tensor. */
function spellings(name: string, forms: Forms, form: Omit<Elementwise, 'operands' | 'samples'>): (readonly [string, Elementwise])[] {
  const { expression: of } = form;
  const pairs = pairSamples(forms, 'other');
  const swapped: Elementwise = {
    ...form,
    operands: ['other'],
    scalars: ['self'],
    samples: scalarSamples(forms, 'other', 'self'),
    expression: ([b, a], type, node) => of([a, b], type, node),
  };
  return [
    [name, { ...form, operands: ['self', 'other'], samples: pairs }],
    [`${name}.Tensor`, { ...form, operands: ['self', 'other'], samples: pairs }],
    [`${name}.Scalar`, { ...form, operands: ['self'], scalars: ['other'], samples: scalarSamples(forms, 'self', 'other') }],
    [`${name}.Scalar_Tensor`, swapped],
  ];
}

/** The spellings of a sum. Factors of the shape lists are powers of two: with others the product is rounded too. */
const scaledSpellings = (name: string, forms: Forms, which: 'self' | 'other'): (readonly [string, Elementwise])[] =>
  spellings(name, forms, { expression: scaled(forms, which) }).map(([spelling, form]) => {
    const numbers = form.samples.filter((s) => Object.values(s.operands).every((o) => (o as SampleTensor).dtype !== 'bool'));
    return [
      spelling,
      { ...form, samples: [...form.samples, ...numbers.map((s) => ({ ...s, attrs: { ...s.attrs, alpha: intScalar(-4) } }))] },
    ];
  });

/** Shape lists. Two tensors: all pairs of extreme values, broadcasting, 0-d, empty, mixed dtypes; whatever an op has forms for. */
export function pairSamples(forms: Forms, second: string, attrs?: KernelSample['attrs']): readonly KernelSample[] {
  const pair = (self: ReturnType<typeof f32>, other: ReturnType<typeof f32>): KernelSample => ({
    operands: { self, [second]: other },
    attrs,
  });
  return [
    ...(forms.f32 === undefined
      ? []
      : [pair(...extremePairs), pair(f32(3, 1, 5), f32(4, 1)), pair(f32(0, 3), f32(3)), pair(f32(7), sample('f32', [], [1.25]))]),
    ...(forms.i32 === undefined
      ? []
      : [pair(sample('i64', [2, 5]), sample('i64', [5], [3, -2, 5, 1, -7])), pair(sample('i8', [3, 3]), sample('i8', [3], [3, -2, 5]))]),
    ...(forms.i32 === undefined || forms.f32 === undefined ? [] : [pair(sample('i32', [4]), f32(3, 4))]),
    ...(forms.bool === undefined ? [] : [pair(sample('bool', [3, 5]), sample('bool', [5]))]),
  ];
}

export function scalarSamples(forms: Forms, tensor: string, scalar: string): readonly KernelSample[] {
  const one = (operand: ReturnType<typeof f32>, value: Scalar): KernelSample => ({
    operands: { [tensor]: operand },
    attrs: { [scalar]: value },
  });
  return [
    ...(forms.f32 === undefined
      ? []
      : [
          one(sample('f32', [extremes.length], extremes), floatScalar(1.5)),
          one(sample('f32', [extremes.length], extremes), floatScalar(0)),
        ]),
    ...(forms.i32 === undefined
      ? []
      : [one(sample('i64', [7], [1, 2, -3, 4, 5, -6, 7]), intScalar(3)), one(sample('u8', [5], [1, 2, 3, 4, 5]), intScalar(2))]),
    ...(forms.bool === undefined ? [] : [one(sample('bool', [3, 5]), boolScalar(true))]),
  ];
}

/** Numbers whose quotients by 0.1 lie at integers: which side they come to decides. */
const multiples = sample(
  'f32',
  [97],
  Array.from({ length: 97 }, (_, i) => (i - 48) * 0.1),
);
const divisions = (make: (attrs: KernelSample['attrs']) => readonly KernelSample[]): readonly KernelSample[] =>
  ['floor', 'trunc'].flatMap((rounding_mode) => make({ rounding_mode }));

const named: readonly (readonly [string, Elementwise])[] = [
  ...Object.entries(arithmetic)
    .filter(([name]) => name !== 'pow')
    .flatMap(([name, forms]) => spellings(name, forms, { expression: expression(forms), error: close })),
  ...Object.entries(sums).flatMap(([name, forms]) => scaledSpellings(name, forms, 'other')),
  ...scaledSpellings('rsub', reversed, 'self'),
  ...Object.entries(comparisons).flatMap(([name, sign]) =>
    spellings(name, { ...compare(sign), bool: compare(sign).u32! }, { expression: expression(compare(sign)), compute: 'promoted' }),
  ),
  ...Object.entries(logical).map(
    ([name, sign]) =>
      [
        name,
        {
          operands: ['self', 'other'],
          compute: 'promoted',
          samples: pairSamples({ ...numeric(infix('+')), bool: infix('+') }, 'other'),
          expression: ([a, b], type) => `(${truth(a!, type)} ${sign} ${truth(b!, type)})`,
        },
      ] as readonly [string, Elementwise],
  ),
  [
    'div.Tensor_mode',
    {
      operands: ['self', 'other'],
      expression: division,
      error: close,
      samples: divisions((attrs) => [
        ...pairSamples(numeric(infix('/')), 'other', attrs),
        { operands: { self: multiples, other: sample('f32', [], [0.1]) }, attrs },
      ]),
    },
  ],
  [
    'div.Scalar_mode',
    {
      operands: ['self'],
      scalars: ['other'],
      expression: division,
      error: close,
      samples: divisions((attrs) => [{ operands: { self: f32(7) }, attrs: { ...attrs, other: floatScalar(0.75) } }]),
    },
  ],
  [
    'pow.Tensor_Tensor',
    {
      operands: ['self', 'exponent'],
      expression: expression(arithmetic['pow']!),
      error: powers,
      samples: pairSamples({ f32: call('power') }, 'exponent'),
    },
  ],
  [
    'pow.Scalar',
    {
      operands: ['exponent'],
      scalars: ['self'],
      expression: ([b, a], type, node) => expression(arithmetic['pow']!)([a, b], type, node),
      error: powers,
      samples: scalarSamples({ f32: call('power') }, 'exponent', 'self'),
    },
  ],
  [
    'pow.Tensor_Scalar',
    {
      operands: ['self'],
      scalars: ['exponent'],
      expression: expression(arithmetic['pow']!),
      error: powers,
      samples: scalarSamples(arithmetic['pow']!, 'self', 'exponent'),
    },
  ],
];

/** The kernels of this family: of all spellings those that ATen has. */
export const binaryKernels: readonly WebGPUKernel[] = named
  .filter(([name]) => hasOp(`aten.${name}`))
  .map(([name, init]) => elementwise(`aten.${name}`, init));
