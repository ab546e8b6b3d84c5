import { no, type Node, type Value, yes } from '@qfuse/ir';
import { describe, expect, expectTypeOf, it, test } from 'vitest';
import { Add, Cast, Check, Concat, Linear, MatMul, Mul, Neg, Pack, read, Relu, Split, Sub, View } from '../test/ops.js';
import {
  absent,
  any,
  type CapturesOf,
  compilePattern,
  constant,
  each,
  list,
  matchAt,
  MatchState,
  maybe,
  oneOf,
  op,
  type OpPattern,
  type Pattern,
  through,
} from './index.js';

/*
 * The semantics of matching, form by form. A test matches at the last node of a graph of the root's op and looks at
 * the captures by name: a value is shown by its name or as `%n` of the text, a node by its op and its first result.
 */

interface Found {
  readonly captures: Record<string, string | readonly string[]>;
  /** Ops of the match, the root first. */
  readonly inner: readonly string[];
}

/** The match at the last node of the root's op, or the reason why there is none. */
function match(pattern: OpPattern<any, any>, body: string): Found | string {
  const { graph } = read(body);
  const compiled = compilePattern(pattern);
  const state = new MatchState(graph, compiled);
  state.explaining = true;
  const roots = [...graph.nodes()].filter((n) => n.op === pattern.op);
  const numbers = new Map([...graph.nodes()].flatMap((n) => n.results).map((r, i) => [r, `%${i}`]));
  const valueText = (v: Value): string => v.name ?? numbers.get(v)!;
  const nodeText = (n: Node): string => `${n.op.name.slice(2)}${n.results.length === 0 ? '' : ` ${valueText(n.results[0]!)}`}`;
  if (!matchAt(compiled, roots.at(-1)!.id, state)) {
    expect(
      [...state.slots].every((s) => s === -1) && state.inner.length === 0 && state.pending.length === 0,
      'a failed match leaves nothing behind',
    ).toBe(true);
    return state.miss!.why;
  }
  const captures: Record<string, string | readonly string[]> = {};
  compiled.captures.forEach(({ name, kind }, slot) => {
    const id = state.slots[slot]!;
    if (kind === 'list' && state.lists[slot] !== undefined)
      captures[name] = state.lists[slot]!.map((n) => nodeText(graph.node(n as never)));
    if (kind !== 'list' && id >= 0)
      captures[name] = kind === 'node' ? nodeText(graph.node(id as never)) : valueText(graph.value(id as never));
  });
  return { captures, inner: state.inner.map((n) => nodeText(graph.node(n as never)).split(' ')[0]!) };
}

const capturesOf = (pattern: OpPattern<any, any>, body: string): unknown => {
  const found = match(pattern, body);
  return typeof found === 'string' ? found : found.captures;
};

const x = any().as('x');
const y = any().as('y');

describe('any', () => {
  it('matches graph inputs, constants and results alike', () => {
    const pattern = op(Neg, { x });
    expect(match(pattern, '%0 = neg(%a) return %0')).toEqual({ captures: { x: 'a' }, inner: ['neg'] });
    expect(capturesOf(pattern, '%0 = neg(%k) return %0')).toEqual({ x: 'k' });
    expect(capturesOf(pattern, '%0 = relu(%a)\n %1 = neg(%0) return %1')).toEqual({ x: '%0' });
  });

  it('asks for one of its dtypes', () => {
    expect(capturesOf(op(Neg, { x: any('i8', 'i4').as('x') }), '%0 = neg(%i) return %0')).toEqual({ x: 'i' });
    expect(match(op(Neg, { x: any('i8', 'i4') }), '%0 = neg(%a) return %0')).toBe('dtype is f32, expected i8 or i4');
  });

  it('is a feeder: other readers of it do not matter', () => {
    expect(capturesOf(op(Neg, { x }), '%0 = relu(%a)\n %1 = relu(%0)\n %2 = neg(%0) return %0, %1, %2')).toEqual({ x: '%0' });
  });

  it('may have conditions, each with its reason, in order', () => {
    const asked: string[] = [];
    const ask = (name: string, ok: boolean) => (v: Value) => (asked.push(`${name} ${v.name}`), ok ? yes : no(`not ${name}`));
    expect(
      match(
        op(Neg, { x: any().where(ask('big', true)).where(ask('even', false)).where(ask('odd', true)).as('x') }),
        '%0 = neg(%a) return %0',
      ),
    ).toBe('not even');
    expect(asked).toEqual(['big a', 'even a']);
  });
});

describe('constant', () => {
  it('matches what is known at compile time', () => {
    expect(capturesOf(op(Neg, { x: constant().as('x') }), '%0 = neg(%k) return %0')).toEqual({ x: 'k' });
    expect(match(op(Neg, { x: constant() }), '%0 = neg(%a) return %0')).toBe('the graph input "a" is not a constant');
    expect(match(op(Neg, { x: constant() }), '%0 = relu(%a)\n %1 = neg(%0) return %1')).toBe('a result of t.relu is not a constant');
    expect(match(op(Neg, { x: constant('i8') }), '%0 = neg(%k) return %0')).toBe('dtype is f32, expected i8');
  });

  it('is not a buffer that runs change', () => {
    const pattern = op(Neg, { x: constant().as('x') });
    expect(capturesOf(pattern, '%0 = neg(%buffer) return %0')).toEqual({ x: 'buffer' });
    expect(match(pattern, '%0 = neg(%buffer)\n mutate %buffer = %0\n return %0')).toBe('the buffer "buffer" is not a constant');
  });
});

describe('op', () => {
  it('matches a node with its operands', () => {
    const pattern = op(Relu, { x: op(Neg, { x }).as('neg') }).as('root');
    expect(match(pattern, '%0 = neg(%a)\n %1 = relu(%0) return %1')).toEqual({
      captures: { x: 'a', neg: 'neg %0', root: 'relu %1' },
      inner: ['relu', 'neg'],
    });
    expect(match(pattern, '%0 = relu(%a)\n %1 = relu(%0) return %1')).toBe('expected t.neg, found t.relu');
    expect(match(pattern, '%0 = relu(%a) return %0')).toBe('expected t.neg, found the graph input "a"');
    expect(match(pattern, '%0 = relu(%k) return %0')).toBe('expected t.neg, found the constant "k"');
  });

  it('leaves operands free that it does not name', () => {
    expect(capturesOf(op(Linear, { x }), '%0 = linear(%a, %b, %c) return %0')).toEqual({ x: 'a' });
    expect(capturesOf(op(Linear, { x }), '%0 = linear(%a, %b) return %0')).toEqual({ x: 'a' });
    expect(capturesOf(op(Neg), '%0 = neg(%a) return %0')).toEqual({});
  });

  it('finds operands behind a list', () => {
    expect(capturesOf(op(Pack, { x, last: y }), '%0 = pack(%a, [%b, %c], %d) return %0')).toEqual({ x: 'a', y: 'd' });
    expect(capturesOf(op(Pack, { x, last: y }), '%0 = pack(%a, [], %d) return %0')).toEqual({ x: 'a', y: 'd' });
  });

  it('asks for an optional operand that it names', () => {
    expect(match(op(Linear, { bias: any() }), '%0 = linear(%a, %b) return %0')).toBe('an operand of t.linear is absent');
    expect(match(op(Linear, { bias: constant() }), '%0 = linear(%a, %b) return %0')).toBe('an operand of t.linear is absent');
  });

  it('may have conditions, asked after its operands', () => {
    const asked: string[] = [];
    const pattern = op(Relu, {
      x: op(View, { x: any().where(() => (asked.push('operand'), yes)) }).where(
        (n) => (asked.push('view'), n.attrs.tag === 1 ? yes : no(`the tag is ${n.attrs.tag}`)),
      ),
    });
    expect(match(pattern, '%0 = view(%a) {tag = 1}\n %1 = relu(%0) return %1')).toEqual({ captures: {}, inner: ['relu', 'view'] });
    expect(asked).toEqual(['operand', 'view']);
    expect(match(pattern, '%0 = view(%a) {tag = 2}\n %1 = relu(%0) return %1')).toBe('the tag is 2');
  });

  it('reads result 0 unless another one is asked for', () => {
    const body = '%0, %1 = split(%a)\n %2 = neg(%1) return %2';
    expect(match(op(Neg, { x: op(Split) }), body)).toBe('result 1 of t.split is read, expected result 0');
    expect(capturesOf(op(Neg, { x: op(Split, { x }).result(1) }), body)).toEqual({ x: 'a' });
    expect(match(op(Neg, { x: op(Split).result(1) }), '%0, %1 = split(%a)\n %2 = neg(%0) return %2')).toBe(
      'result 0 of t.split is read, expected result 1',
    );
  });

  it('is the op object, not its name', () => {
    const twin: typeof Neg = { ...Neg };
    expect(match(op(Relu, { x: op(twin) }), '%0 = neg(%a)\n %1 = relu(%0) return %1')).toBe('expected t.neg, found t.neg');
  });

  it('matches nodes without results', () => {
    expect(match(op(Check, { x }), 'check(%a) return')).toEqual({ captures: { x: 'a' }, inner: ['check'] });
  });
});

describe('one name twice', () => {
  it('asks for the same value', () => {
    const square = op(Sub, { x, y: any().as('x') });
    expect(capturesOf(square, '%0 = sub(%a, %a) return %0')).toEqual({ x: 'a' });
    expect(match(square, '%0 = sub(%a, %b) return %0')).toBe('"x" is another value here');
  });

  it('asks for the same node', () => {
    const pattern = op(Sub, { x: op(Neg).as('n'), y: op(Neg).as('n') });
    expect(capturesOf(pattern, '%0 = neg(%a)\n %1 = sub(%0, %0) return %1')).toEqual({ n: 'neg %0' });
    expect(match(pattern, '%0 = neg(%a)\n %1 = neg(%a)\n %2 = sub(%0, %1) return %2')).toBe('"n" is another node');
  });

  it('without a name two patterns may match one node', () => {
    expect(match(op(Sub, { x: op(Neg), y: op(Neg) }), '%0 = neg(%a)\n %1 = sub(%0, %0) return %1')).toEqual({
      captures: {},
      inner: ['sub', 'neg', 'neg'],
    });
  });
});

describe('a commutative op', () => {
  it('is tried as written, then swapped, and captures of the first try are undone', () => {
    const pattern = op(Add, { x: any().as('first'), y: op(Neg, { x }).as('neg') });
    expect(capturesOf(pattern, '%0 = neg(%a)\n %1 = add(%b, %0) return %1')).toEqual({ first: 'b', x: 'a', neg: 'neg %0' });
    expect(match(pattern, '%0 = neg(%a)\n %1 = add(%0, %b) return %1')).toEqual({
      captures: { first: 'b', x: 'a', neg: 'neg %0' },
      inner: ['add', 'neg'],
    });
  });

  it('prefers what is written', () => {
    expect(capturesOf(op(Add, { x, y }), '%0 = add(%a, %b) return %0')).toEqual({ x: 'a', y: 'b' });
    expect(capturesOf(op(Add, { x: op(Neg).as('n'), y }), '%0 = neg(%a)\n %1 = neg(%b)\n %2 = add(%0, %1) return %2')).toEqual({
      n: 'neg %0',
      y: '%1',
    });
  });

  it('may name one operand', () => {
    expect(capturesOf(op(Add, { y: constant().as('k') }), '%0 = add(%k, %a) return %0')).toEqual({ k: 'k' });
  });

  it('asks its conditions again after a swap', () => {
    let asked = 0;
    const pattern = op(Add, { x, y }).where(() => (++asked === 2 ? yes : no('only the second time')));
    expect(capturesOf(pattern, '%0 = add(%a, %b) return %0')).toEqual({ x: 'b', y: 'a' });
    asked = 5;
    expect(match(pattern, '%0 = add(%a, %a) return %0')).toBe('only the second time');
    expect(asked).toBe(6);
  });

  it('finds a match that needs an inner swap because of what comes later', () => {
    // mul(x, gate) + x, with the operands of both in any order
    const pattern = op(Add, { x: op(Mul, { x, y: any().as('gate') }), y: any().as('x') });
    for (const inner of ['mul(%a, %b)', 'mul(%b, %a)'])
      for (const outer of ['add(%0, %a)', 'add(%a, %0)'])
        expect(capturesOf(pattern, `%0 = ${inner}\n %1 = ${outer} return %1`)).toEqual({ x: 'a', gate: 'b' });
    expect(match(pattern, '%0 = mul(%a, %b)\n %1 = add(%0, %c) return %1')).toBe('"x" is another value here');
  });

  it('is not swapped where the order matters', () => {
    expect(match(op(Sub, { x: op(Neg), y }), '%0 = neg(%a)\n %1 = sub(%b, %0) return %1')).toBe(
      'expected t.neg, found the graph input "b"',
    );
  });
});

describe('absent', () => {
  it('asks for a missing optional operand', () => {
    const pattern = op(Linear, { x, bias: absent });
    expect(capturesOf(pattern, '%0 = linear(%a, %b) return %0')).toEqual({ x: 'a' });
    expect(match(pattern, '%0 = linear(%a, %b, %c) return %0')).toBe('t.linear has an operand where none was expected');
    expect(capturesOf(op(Cast, { scale: absent, x }), '%0 = cast(_, %b) return %0')).toEqual({ x: 'b' });
  });

  it('may be an alternative, and an element of a list', () => {
    expect(match(op(Concat, { items: list(any(), absent) }), '%0 = concat([%a, _]) return %0')).toEqual({
      captures: {},
      inner: ['concat'],
    });
    expect(match(op(Concat, { items: list(any(), absent) }), '%0 = concat([%a, %b]) return %0')).toBe(
      't.concat has an operand where none was expected',
    );
  });
});

describe('list', () => {
  it('matches exactly these elements', () => {
    const pattern = op(Concat, { items: list(x, op(Neg, { x: y })) });
    expect(match(pattern, '%0 = neg(%b)\n %1 = concat([%a, %0]) return %1')).toEqual({
      captures: { x: 'a', y: 'b' },
      inner: ['concat', 'neg'],
    });
    expect(match(pattern, '%0 = concat([%a]) return %0')).toBe('operand "items" of t.concat has 1 elements, expected 2');
    expect(match(pattern, '%0 = concat([%a, %b, %c]) return %0')).toBe('operand "items" of t.concat has 3 elements, expected 2');
    expect(match(pattern, '%0 = concat([%a, %b]) return %0')).toBe('expected t.neg, found the graph input "b"');
    expect(match(pattern, '%0 = concat([%a, _]) return %0')).toBe('an operand of t.concat is absent');
  });

  it('stands between other operands', () => {
    const pattern = op(Pack, { x, items: list(any().as('first'), any().as('second')), last: y });
    expect(capturesOf(pattern, '%0 = pack(%a, [%b, %c], %d) return %0')).toEqual({ x: 'a', first: 'b', second: 'c', y: 'd' });
    expect(capturesOf(op(Pack, { items: list() }), '%0 = pack(%a, [], %d) return %0')).toEqual({});
  });

  it('goes back into an element when a later one needs it', () => {
    const pattern = op(Concat, { items: list(op(Add, { x, y }), any().as('x')) });
    expect(capturesOf(pattern, '%0 = add(%a, %b)\n %1 = concat([%0, %b]) return %1')).toEqual({ x: 'b', y: 'a' });
  });
});

describe('each', () => {
  const pattern = op(Concat, { items: each(op(Neg)) });

  it('asks it of every element that is there', () => {
    expect(match(pattern, '%0 = neg(%a)\n %1 = neg(%b)\n %2 = concat([%0, _, %1]) return %2')).toEqual({
      captures: {},
      inner: ['concat', 'neg', 'neg'],
    });
    expect(match(pattern, '%0 = neg(%a)\n %1 = concat([%0, %b]) return %1')).toBe('expected t.neg, found the graph input "b"');
    expect(match(op(Pack, { items: each(constant()), last: y }), '%0 = pack(%a, [%k, %k], %d) return %0')).toEqual({
      captures: { y: 'd' },
      inner: ['pack'],
    });
  });

  it('leaves nothing behind when a later element fails', () => {
    const either = op(Concat, { items: oneElement(pattern) });
    expect(match(either, '%0 = neg(%a)\n %1 = concat([%0, %b])\n %2 = concat([%1]) return %2')).toBe(
      'expected t.neg, found the graph input "b"',
    );
  });

  it('takes one node more than once', () => {
    expect(match(pattern, '%0 = neg(%a)\n %1 = concat([%0, %0]) return %1')).toEqual({ captures: {}, inner: ['concat', 'neg', 'neg'] });
  });
});

const oneElement = (p: Pattern<any>) => list(p);

describe('maybe', () => {
  const pattern = op(Relu, { x: maybe(op(View).as('view'), 'x', op(MatMul, { x, weight: y })) });

  it('matches with the node and without it', () => {
    expect(match(pattern, '%0 = matmul(%a, %b)\n %1 = relu(%0) return %1')).toEqual({
      captures: { x: 'a', y: 'b' },
      inner: ['relu', 'matmul'],
    });
    expect(match(pattern, '%0 = matmul(%a, %b)\n %1 = view(%0)\n %2 = relu(%1) return %2')).toEqual({
      captures: { x: 'a', y: 'b', view: 'view %1' },
      inner: ['relu', 'view', 'matmul'],
    });
    expect(match(pattern, '%0 = matmul(%a, %b)\n %1 = view(%0)\n %2 = view(%1)\n %3 = relu(%2) return %3')).toBe(
      'expected t.matmul, found t.view',
    );
  });

  it('refuses other readers of the optional node too', () => {
    expect(match(pattern, '%0 = matmul(%a, %b)\n %1 = view(%0)\n %2 = relu(%1) return %1, %2')).toBe('t.view has 2 readers');
  });

  it('prefers the node, and does without it when what comes later needs that', () => {
    const either = op(Sub, { x: maybe(op(View).as('view'), 'x', x), y: any().as('x') });
    expect(capturesOf(either, '%0 = view(%a)\n %1 = sub(%0, %a) return %1')).toEqual({ view: 'view %0', x: 'a' });
    expect(capturesOf(either, '%0 = view(%a)\n %1 = sub(%0, %0) return %1')).toEqual({ x: '%0' });
  });

  it('puts the inner pattern where it is told', () => {
    expect(
      capturesOf(op(Relu, { x: maybe(op(Cast, { scale: y }), 'x', constant().as('k')) }), '%0 = cast(%b, %k)\n %1 = relu(%0) return %1'),
    ).toEqual({ y: 'b', k: 'k' });
    expect(() => maybe(op(Cast, { x: any() }), 'x', any())).toThrow('operand "x" of the optional t.cast has a pattern of its own');
  });
});

describe('through', () => {
  const behindViews = (inner: Pattern<any>, readers?: 'shared') =>
    op(Relu, { x: through([View, { op: Cast, operand: 'x' }], inner, 'views', readers) });

  it('passes any number of the ops and captures them, outermost first', () => {
    const pattern = behindViews(op(Neg, { x }));
    expect(match(pattern, '%0 = neg(%a)\n %1 = relu(%0) return %1')).toEqual({ captures: { x: 'a', views: [] }, inner: ['relu', 'neg'] });
    expect(match(pattern, '%0 = neg(%a)\n %1 = view(%0)\n %2 = cast(%b, %1)\n %3 = view(%2)\n %4 = relu(%3) return %4')).toEqual({
      captures: { x: 'a', views: ['view %3', 'cast %2', 'view %1'] },
      inner: ['relu', 'view', 'cast', 'view', 'neg'],
    });
    expect(match(pattern, '%0 = sub(%a, %b)\n %1 = view(%0)\n %2 = relu(%1) return %2')).toBe('expected t.neg, found t.sub');
  });

  it('passes as many as there are', () => {
    expect(capturesOf(behindViews(x), '%0 = view(%a)\n %1 = view(%0)\n %2 = relu(%1) return %2')).toEqual({
      x: 'a',
      views: ['view %1', 'view %0'],
    });
  });

  it('passes less when the rest needs it', () => {
    const body = '%0 = view(%a)\n %1 = view(%0)\n %2 = relu(%1) return %2';
    expect(match(behindViews(op(View, { x })), body)).toEqual({
      captures: { x: 'a', views: ['view %1'] },
      inner: ['relu', 'view', 'view'],
    });
    const later = op(Sub, { x: through([View], x, 'views'), y: any().as('x') });
    expect(capturesOf(later, '%0 = view(%a)\n %1 = view(%0)\n %2 = sub(%1, %0) return %2')).toEqual({ x: '%0', views: ['view %1'] });
    expect(capturesOf(later, '%0 = view(%a)\n %1 = sub(%0, %0) return %1')).toEqual({ x: '%0', views: [] });
  });

  it('stops where a check refuses, with its reason', () => {
    const pattern = op(Relu, {
      x: through([{ op: View, where: (n) => (n.attrs['tag'] === 0 ? yes : no('the view moves elements')) }], op(Neg, { x }), 'views'),
    });
    expect(capturesOf(pattern, '%0 = neg(%a)\n %1 = view(%0)\n %2 = relu(%1) return %2')).toEqual({ x: 'a', views: ['view %1'] });
    expect(match(pattern, '%0 = neg(%a)\n %1 = view(%0) {tag = 1}\n %2 = view(%1)\n %3 = relu(%2) return %3')).toBe(
      'the view moves elements',
    );
  });

  it('stops at other readers, or shares the passages with them', () => {
    const body = '%0 = neg(%a)\n %1 = view(%0)\n %2 = relu(%1) return %1, %2';
    expect(match(behindViews(op(Neg, { x })), body)).toBe('t.view has 2 readers');
    expect(capturesOf(behindViews(op(Neg, { x }).shared(), 'shared'), body)).toEqual({ x: 'a', views: ['view %1'] });
  });

  it('ends at an absent operand', () => {
    const pattern = op(Relu, { x: through([{ op: Cast, operand: 'scale' }], x, 'casts') });
    expect(capturesOf(pattern, '%0 = cast(_, %a)\n %1 = relu(%0) return %1')).toEqual({ x: '%0', casts: [] });
  });
});

describe('oneOf', () => {
  const pattern = op(Relu, { x: oneOf(op(Neg, { x }).as('neg'), op(Add, { x, y: constant().as('k') }), any('i8').as('raw')) });

  it('takes the first that matches, and only its captures', () => {
    expect(match(pattern, '%0 = neg(%a)\n %1 = relu(%0) return %1')).toEqual({
      captures: { x: 'a', neg: 'neg %0' },
      inner: ['relu', 'neg'],
    });
    expect(match(pattern, '%0 = add(%k, %a)\n %1 = relu(%0) return %1')).toEqual({ captures: { x: 'a', k: 'k' }, inner: ['relu', 'add'] });
    expect(match(pattern, '%0 = relu(%i) return %0')).toEqual({ captures: { raw: 'i' }, inner: ['relu'] });
  });

  it('refuses with the reason that lies deepest', () => {
    expect(match(pattern, '%0 = add(%a, %b)\n %1 = relu(%0) return %1')).toBe('the graph input "b" is not a constant');
  });

  it('takes a later one when the rest needs it', () => {
    const later = op(Sub, { x: oneOf(op(Neg, { x }), x), y: any().as('x') });
    expect(capturesOf(later, '%0 = neg(%a)\n %1 = sub(%0, %a) return %1')).toEqual({ x: 'a' });
    expect(capturesOf(later, '%0 = neg(%a)\n %1 = sub(%0, %0) return %1')).toEqual({ x: '%0' });
  });
});

describe('readers outside the match', () => {
  const body = '%0 = neg(%a)\n %1 = sub(%0, %b)\n %2 = relu(%0) return %1, %2';

  it('of an exclusive node refuse the match', () => {
    expect(match(op(Relu, { x: op(Neg, { x }) }), body)).toBe('t.neg has 2 readers');
  });

  it('are nodes, not operand slots, and the return is one', () => {
    expect(match(op(Mul, { x: op(Neg), y: any() }), '%0 = neg(%a)\n %1 = mul(%0, %0) return %1')).toEqual({
      captures: {},
      inner: ['mul', 'neg'],
    });
    expect(match(op(Relu, { x: op(Neg) }), '%0 = neg(%a)\n %1 = relu(%0) return %1, %0')).toBe('t.neg has 2 readers');
    expect(match(op(Relu, { x: op(Neg) }), '%0 = neg(%a)\n %1 = relu(%0)\n mutate %buffer = %0\n return %1')).toBe('t.neg has 2 readers');
  });

  it('of any result count', () => {
    expect(match(op(Neg, { x: op(Split) }), '%0, %1 = split(%a)\n %2 = neg(%0) return %1, %2')).toBe('t.split has 2 readers');
  });

  it('of a shared or exposed node do not matter', () => {
    expect(capturesOf(op(Relu, { x: op(Neg, { x }).shared() }), body)).toEqual({ x: 'a' });
    expect(capturesOf(op(Relu, { x: op(Neg, { x }).exposed('neg') }), body)).toEqual({ x: 'a', neg: 'neg %0' });
  });

  it('of the root do not matter', () => {
    expect(capturesOf(op(Neg, { x }), '%0 = neg(%a) return %0, %0')).toEqual({ x: 'a' });
  });

  it('that belong to the match are none: diamonds', () => {
    const diamond = op(Add, { x: op(Neg, { x: op(View, { x }) }), y: op(Relu, { x: op(View) }) });
    for (const root of ['add(%1, %2)', 'add(%2, %1)'])
      expect(capturesOf(diamond, `%0 = view(%a)\n %1 = neg(%0)\n %2 = relu(%0)\n %3 = ${root} return %3`)).toEqual({ x: 'a' });
    expect(match(diamond, '%0 = view(%a)\n %1 = neg(%0)\n %2 = relu(%0)\n %3 = add(%1, %2) return %3, %0')).toBe('t.view has 3 readers');
    // x · sigmoid(x): the inner x is a feeder on one side and an inner node on the other
    const gate = op(Mul, { x: op(Neg, { x }).as('n'), y: op(Relu, { x: op(Neg).as('n') }) });
    for (const root of ['mul(%0, %1)', 'mul(%1, %0)'])
      expect(capturesOf(gate, `%0 = neg(%a)\n %1 = relu(%0)\n %2 = ${root} return %2`)).toEqual({ x: 'a', n: 'neg %0' });
  });

  it('make it try other alternatives', () => {
    // Exclusive it cannot be, but it can be a feeder.
    const pattern = op(Relu, { x: oneOf(op(Neg, { x }), any().as('fed')) });
    expect(capturesOf(pattern, body)).toEqual({ fed: '%0' });
    const either = op(Add, { x: op(Neg, { x }), y });
    expect(capturesOf(either, '%0 = neg(%a)\n %1 = neg(%b)\n %2 = add(%0, %1) return %2, %0')).toEqual({ x: 'b', y: '%0' });
  });
});

describe('a near miss', () => {
  it('is the deepest one, the first of equals, and knows node and depth', () => {
    const { graph } = read('%0 = matmul(%a, %b)\n %1 = add(%0, %c)\n %2 = relu(%1) return %2');
    const pattern = compilePattern(op(Relu, { x: op(Add, { x: op(MatMul, { x: constant(), weight: constant() }), y: constant() }) }));
    const state = new MatchState(graph, pattern);
    state.explaining = true;
    const [matmul, , relu] = [...graph.nodes()];
    expect(matchAt(pattern, relu!.id, state)).toBe(false);
    expect(state.miss).toEqual({ depth: 3, why: 'the graph input "a" is not a constant', at: matmul!.id });
  });

  it('is not looked for when nobody listens', () => {
    const { graph } = read('%0 = neg(%a) return %0');
    const pattern = compilePattern(op(Neg, { x: constant() }));
    const state = new MatchState(graph, pattern);
    expect(matchAt(pattern, [...graph.nodes()][0]!.id, state)).toBe(false);
    expect(state.miss).toBeUndefined();
    expect(state.steps).toBe(2);
  });

  it('does not outlive the match', () => {
    const { graph } = read('%0 = neg(%a)\n %1 = neg(%k) return %0, %1');
    const pattern = compilePattern(op(Neg, { x: constant().as('k') }));
    const state = new MatchState(graph, pattern);
    state.explaining = true;
    const [first, second] = [...graph.nodes()];
    expect([matchAt(pattern, second!.id, state), matchAt(pattern, first!.id, state), matchAt(pattern, second!.id, state)]).toEqual([
      true,
      false,
      true,
    ]);
    expect([state.miss, state.inner]).toEqual([undefined, [second!.id]]);
  });
});

describe('a pattern that contradicts itself is refused when it is compiled', () => {
  const cases: readonly [string, string, () => unknown][] = [
    ['an operand that the op does not have', 'pattern: t.neg has no operand "z"', () => op(Neg, { z: any() } as never)],
    [
      'a name for a value and a node',
      'pattern: "x" captures a value and a node',
      () => compilePattern(op(Sub, { x: op(Neg).as('x'), y: any().as('x') })),
    ],
    [
      'a name for a list and a value',
      'pattern: "x" captures a value and a list',
      () => compilePattern(op(Sub, { x: through([View], any(), 'x'), y: any().as('x') })),
    ],
    ['each with a capture', 'pattern: each(…) cannot capture', () => compilePattern(op(Concat, { items: each(any().as('x') as Pattern) }))],
    ['a list for one value', 'pattern: operand "x" of t.neg is not a list', () => compilePattern(op(Neg, { x: list() }))],
    [
      'one value for a list',
      'pattern: operand "items" of t.concat is a list: ask for list(…) or each(…)',
      () => compilePattern(op(Concat, { items: any() })),
    ],
    ['a list in an alternative', 'pattern: "list" can only stand for an operand', () => compilePattern(op(Neg, { x: oneOf(list()) }))],
    ['a shared root', 'pattern: the root t.neg cannot be shared', () => compilePattern(op(Neg).shared())],
    ['an exposed root', 'pattern: the root t.neg cannot be exposed', () => compilePattern(op(Neg).exposed('n'))],
  ];
  test.each(cases)('%s', (_, message, work) => expect(work).toThrow(message));
});

test('size and depth of a pattern', () => {
  const facts = (p: OpPattern<any, any>) => {
    const { size, depth, frames } = compilePattern(p);
    return { size, depth, frames };
  };
  expect(facts(op(Neg))).toEqual({ size: 1, depth: 1, frames: 1 });
  expect(facts(op(Relu, { x: maybe(op(View), 'x', op(MatMul)) }))).toEqual({ size: 3, depth: 3, frames: 4 });
  expect(facts(op(Relu, { x: oneOf(op(Neg), op(Add, { x: op(Neg), y: op(Neg) })) }))).toEqual({ size: 4, depth: 3, frames: 5 });
});

test('patterns are frozen, and every method gives a new one', () => {
  const base = op(Neg, { x });
  const variants = [
    base,
    base.as('n'),
    base.shared(),
    base.exposed('n'),
    base.result(0),
    base.where(() => yes),
    any(),
    any().as('x'),
    any().where(() => yes),
    absent,
    list(any()),
    each(any()),
    oneOf(any()),
    maybe(op(View), 'x', any()),
    through([View], any(), 'v'),
  ];
  expect(new Set(variants).size).toBe(variants.length);
  expect(variants.every(Object.isFrozen)).toBe(true);
  expect([base.name, base.readers, base.checks]).toEqual([undefined, 'exclusive', []]);
});

test('captures are inferred', () => {
  const full = op(Relu, { x: op(Add, { x: any().as('x'), y: constant().as('k') }).as('add') }).as('root');
  expectTypeOf<CapturesOf<typeof full>>().toEqualTypeOf<{ x: Value; k: Value; add: Node<typeof Add>; root: Node<typeof Relu> }>();
  const optional = op(Relu, { x: maybe(op(View).as('view'), 'x', any().as('x')) });
  expectTypeOf<CapturesOf<typeof optional>>().toEqualTypeOf<{ x: Value; view?: Node<typeof View> }>();
  const views = op(Relu, { x: through([View], any().as('x'), 'views') });
  expectTypeOf<CapturesOf<typeof views>>().toEqualTypeOf<{ x: Value; views: readonly Node[] }>();
  const either = op(Relu, { x: oneOf(op(Neg, { x: any().as('x') }).as('neg'), any().as('x')) });
  expectTypeOf<CapturesOf<typeof either>['x']>().toEqualTypeOf<Value>();
  expectTypeOf<CapturesOf<typeof either>['neg']>().toEqualTypeOf<Node<typeof Neg> | undefined>();
  const elements = op(Concat, { items: list(any().as('a'), any().as('b')) });
  expectTypeOf<CapturesOf<typeof elements>>().toEqualTypeOf<{ a: Value; b: Value }>();
  const exposed = op(Relu, { x: op(Neg).exposed('neg') });
  expectTypeOf<CapturesOf<typeof exposed>>().toEqualTypeOf<{ neg: Node<typeof Neg> }>();
  const none = op(Relu, { x: op(Neg, { x: any('f32') }) });
  expectTypeOf<CapturesOf<typeof none>>().toEqualTypeOf<{}>();
});

test('wrong names do not compile', () => {
  // @ts-expect-error t.neg has no operand "y"
  expect(() => op(Neg, { y: any() })).toThrow();
  // @ts-expect-error t.view has no operand "y"
  expectTypeOf(maybe(op(View), 'y', any())).not.toBeAny();
  const captures = {} as CapturesOf<OpPattern<typeof Neg, { x: Value }>>;
  // @ts-expect-error "z" is not captured
  expect(captures.z).toBeUndefined();
  op(View).where((n) => {
    expectTypeOf(n.attrs.tag).toEqualTypeOf<number>();
    // @ts-expect-error t.view has no attribute "size"
    return n.attrs.size === 1 ? yes : no('');
  });
  // @ts-expect-error each(…) cannot capture
  expect(() => compilePattern(op(Concat, { items: each(any().as('x')) }))).toThrow();
  // @ts-expect-error f33 is not a dtype
  expectTypeOf(any('f33')).not.toBeAny();
});
