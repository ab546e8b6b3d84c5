import fc from 'fast-check';
import {
  type AnyOp,
  Constant,
  dtypes,
  Editor,
  Graph,
  madeOrigin,
  type Origin,
  sourceOrigin,
  symbol,
  type TensorType,
  tensorType,
  type Value,
} from '../src/index.js';
import { attrsOf } from './attrs.js';
import { dimOf, sums, symbolNames } from './dims.js';
import { Add, Check, Concat, Every, Fill, Neg, Norm, Options, Other, Another, Pack, Split } from './ops.js';

/** A step of making a graph; operands are picked by number from what there is. */
type Step = (edit: Editor, values: Value[], pick: (accepts?: (t: TensorType) => boolean) => Value) => void;

const isFloat = (t: TensorType): boolean => t.dtype === 'f32' || t.dtype === 'f64';
const inList = (t: TensorType): boolean => t.dtype === 'f32' || t.dtype === 'i32';

const make = (edit: Editor, values: Value[], op: AnyOp, operands: object, attrs: object = {}): void =>
  void values.push(...edit.create(op, operands as never, attrs as never).results);

const optional = fc.integer({ min: 0, max: 3 });

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom(Neg, Split, Check).map(
    (op): Step =>
      (edit, values, pick) =>
        make(edit, values, op, { x: pick() }),
  ),
  fc.constant<Step>((edit, values, pick) => {
    const x = pick();
    make(edit, values, Add, { x, y: pick((t) => t.dtype === x.type.dtype) });
  }),
  optional.map(
    (which): Step =>
      (edit, values, pick) =>
        make(edit, values, Norm, {
          x: pick(isFloat),
          weight: (which & 1) === 0 ? undefined : pick(),
          bias: (which & 2) === 0 ? undefined : pick(isFloat),
        }),
  ),
  fc.array(fc.boolean(), { maxLength: 4 }).map(
    (there): Step =>
      (edit, values, pick) =>
        make(edit, values, Pack, { x: pick(), items: there.map((t) => (t ? pick() : undefined)), last: pick() }),
  ),
  fc.array(fc.boolean(), { maxLength: 4 }).map(
    (there): Step =>
      (edit, values, pick) =>
        make(edit, values, Concat, { items: there.map((t) => (t ? pick(inList) : undefined)) }),
  ),
  ...[Every, Options, Other, Another].map((op) =>
    attrsOf(op.attrs).map(
      (attrs): Step =>
        (edit, values, pick) =>
          make(edit, values, op, { x: pick() }, attrs),
    ),
  ),
  fc
    .record({ size: fc.array(sums.map(dimOf), { maxLength: 3 }), dtype: fc.option(fc.constantFrom(...dtypes), { nil: undefined }) })
    .map((attrs): Step => (edit, values) => {
      // A type in the text has no negative numbers.
      const size = attrs.size.map((d) => (typeof d === 'number' ? Math.abs(d) : d));
      make(edit, values, Fill, {}, { ...attrs, size });
    }),
);

const origins: fc.Arbitrary<Origin> = fc.letrec<{ origin: Origin; source: Origin }>((tie) => ({
  source: fc
    .tuple(fc.string({ unit: 'binary', maxLength: 6 }), fc.constantFrom('', 'encoder.layer', 'a "b"\n'))
    .map(([name, scope]) => sourceOrigin(name, scope)),
  origin: fc.oneof(
    { maxDepth: 2 },
    tie('source'),
    fc.tuple(fc.string({ maxLength: 6 }), fc.array(tie('origin'), { maxLength: 3 })).map(([by, from]) => madeOrigin(by, from)),
  ),
})).origin;

const names = fc.oneof(
  fc.constantFrom('x', 'y', '0', '1', '17', 'a.b', '_', 'return', 'a b', '"', '', '%0', 'parameter'),
  fc.string({ unit: 'binary', maxLength: 5 }),
);
const staticType = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }))
  .map(([dtype, shape]) => tensorType(dtype, shape));
const inputType = fc
  .tuple(
    fc.constantFrom(...dtypes),
    fc.array(
      fc.oneof(
        fc.integer({ min: 0, max: 5 }),
        sums.map(dimOf).filter((d) => typeof d !== 'number' || d >= 0),
      ),
      { maxLength: 3 },
    ),
  )
  .map(([dtype, shape]) => tensorType(dtype, shape));
const constants: fc.Arbitrary<Constant> = staticType.chain((type) => {
  const { byteLength } = Constant.unresolved(type, '');
  return fc.oneof(
    fc.uint8Array({ minLength: byteLength, maxLength: byteLength }).map((bytes) => Constant.of(type, bytes)),
    fc.constant(Constant.of(type, new Uint8Array(byteLength))),
    fc.constant(Constant.unresolved(type, 'w_0')),
  );
});
const facts = fc.record({
  min: fc.nat(5),
  max: fc.oneof(fc.integer({ min: 12, max: 99 }), fc.constant(Number.POSITIVE_INFINITY)),
  divisor: fc.integer({ min: 1, max: 4 }),
});

/** Valid graphs over the vocabulary, in which everything occurs that a text can hold. */
export const graphs: fc.Arbitrary<Graph> = fc
  .record({
    name: names,
    facts: fc.tuple(...symbolNames.map(() => fc.option(facts, { nil: undefined }))),
    inputs: fc.uniqueArray(fc.tuple(names, inputType), { selector: ([n]) => n, minLength: 0, maxLength: 3 }),
    constants: fc.uniqueArray(fc.tuple(names, fc.constantFrom('parameter' as const, 'buffer' as const, 'constant' as const), constants), {
      selector: ([n]) => n,
      maxLength: 3,
    }),
    steps: fc.array(fc.tuple(steps, origins), { maxLength: 14 }),
    picks: fc.array(fc.nat(), { minLength: 1, maxLength: 40 }),
    outputs: fc.nat(3),
    mutate: fc.boolean(),
  })
  .map((given) => {
    const graph = new Graph(given.name);
    const edit = new Editor(graph);
    given.facts.forEach((fact, i) => fact && graph.env.declare(symbolNames[i]!, { ...fact, source: 'the test' }));
    // One value that every op accepts comes first.
    const values: Value[] = [];
    for (const [name, type] of given.inputs) values.push(edit.addInput(name, type));
    for (const [name, role, constant] of given.constants)
      if (graph.named(name) === undefined) values.push(edit.addConstant(name, role, constant));
    values.push(edit.addInput('base input', tensorType('f32', [symbol('s0'), 4])));
    let at = 0;
    const pick = (accepts: (t: TensorType) => boolean = () => true): Value => {
      const fitting = values.filter((v) => accepts(v.type));
      return fitting[given.picks[at++ % given.picks.length]! % fitting.length]!;
    };
    for (const [step, origin] of given.steps) {
      edit.origin = origin;
      step(edit, values, pick);
    }
    const outputs = Array.from({ length: given.outputs }, () => pick());
    const targets = [...graph.inputs, ...graph.constants.filter((c) => c.role === 'buffer').map((c) => c.value)];
    const mutations = given.mutate ? targets.map((target) => ({ target, value: pick((t) => t === target.type) })) : [];
    edit.setOutputs(outputs, mutations);
    return graph;
  });
