import { type Graph, printGraph } from '@qfuse/plugin';
import { describe, expect, it } from 'vitest';
import { archive, type Doc, meta, node, program } from '../test/program-builder.js';
import { toyOps } from '../test/toy-ops.js';
import { importPt2 } from './import-pt2.js';

const S0 = "Symbol('s0', positive=True, integer=True)";
const notes: string[] = [];

/** A program over x: f32[s0, 4] and y: f32[s0, s1]. */
function graphOf(
  more: { ranges?: Doc; guards?: string[]; nodes?: Doc[]; symInts?: Doc; symBools?: Doc; sizes?: (number | string)[] } = {},
): Graph {
  const { sizes = [S0, 4], nodes = [], ...rest } = more;
  const document = program({
    inputs: { x: meta(7, sizes), y: meta(7, [S0, "Symbol('s1', integer=True)"]) },
    nodes,
    values: {},
    outputs: ['x', 'y'],
    ...rest,
  });
  notes.length = 0;
  return importPt2(archive({ document }), { ops: toyOps, report: (d) => notes.push(`${d.code}: ${d.message}`) });
}

const fact = (graph: Graph, name: string): readonly number[] => {
  const { min, max, divisor } = graph.env.fact(name);
  return [min, max, divisor];
};

describe('symbols', () => {
  it('have the range of the file, else what sympy assumes', () => {
    const graph = graphOf({ ranges: { s0: { min_val: 2, max_val: 64 } } });
    expect(fact(graph, 's0')).toEqual([2, 64, 1]);
    expect(fact(graph, 's1')).toEqual([0, Infinity, 1]);
    expect(fact(graphOf(), 's0')).toEqual([1, Infinity, 1]);
    expect(graph.env.fact('s0').source).toBe('range constraint of the file');
  });

  it('that no tensor has are not declared', () =>
    expect(graphOf({ ranges: { s9: { min_val: 1, max_val: 2 } } }).env.symbols()).toEqual(['s0', 's1']));

  it('make types of expressions', () =>
    expect(printGraph(graphOf({ sizes: [`Mul(Integer(8), ${S0})`, 4] }))).toContain('%x: f32[8*s0, 4]'));

  it('with an empty range are refused', () => expect(() => graphOf({ ranges: { s0: { min_val: 5, max_val: 2 } } })).toThrow(/empty/));

  it('learn from assertions and constraints', () => {
    const condition = (name: string, expr: string): Doc[] => [
      { ...node('_operator.ge', {}, [{ as_sym_bool: { as_name: name } }]), target: '_operator.ge', name },
      node('aten._assert_scalar.default', { self: { as_sym_bool: { as_name: name } }, assert_msg: { as_string: expr } }, []),
    ];
    const size = { ...node('aten.sym_size.int', { self: 'x', dim: { as_int: 0 } }, [{ as_sym_int: { as_name: 'n' } }]), name: 'n' };
    const constrain = node(
      'aten.sym_constrain_range_for_size.default',
      { size: { as_sym_int: { as_name: 'n' } }, min: { as_int: 0 }, max: { as_int: 50 } },
      [],
    );
    const graph = graphOf({
      nodes: [size, constrain, ...condition('ge', '')],
      symInts: { n: { as_expr: { expr_str: S0 } } },
      symBools: { ge: { as_expr: { expr_str: `GreaterThan(${S0}, Integer(3))` } } },
    });
    expect(fact(graph, 's0')).toEqual([3, 50, 1]);
    expect(graph.size).toBe(0);
  });
});

describe('guards', () => {
  it.each<[string, readonly number[]]>([
    ["L['x'].size()[0] >= 4", [4, Infinity, 1]],
    ["L['x'].size()[0] < 10", [1, 9, 1]],
    ["L['flat_args'][0].size()[0] <= 64", [1, 64, 1]],
    ["(L['y'].size()[0] % 8) == 0", [1, Infinity, 8]],
    ["L['flat_args'][1].size()[0] == L['flat_args'][0].size()[0]", [1, Infinity, 1]],
    ["(2*L['x'].size()[0]) != 1", [1, Infinity, 1]],
    ["max(1, L['x'].size()[0]) == L['x'].size()[0]", [1, Infinity, 1]],
  ])('%s is learnt', (guard, expected) => {
    expect(fact(graphOf({ guards: [guard] }), 's0')).toEqual(expected);
    expect(notes).toEqual([]);
  });

  it.each([
    "L['x'].size()[0] != 5",
    "L['x'].size()[0] == L['y'].size()[1]",
    "L['ghost'].size()[0] == 1",
    "L['x'].stride()[0] == 4",
    'not a guard at all',
    '',
    "__import__('os').system('x')",
  ])('%s is reported, not checked', (guard) => {
    graphOf({ guards: [guard] });
    expect(notes).toEqual([`pt2/guard: a guard of the file is not checked: ${guard}`]);
  });

  it('do not declare symbols', () => expect(graphOf({ guards: ["L['x'].size()[0] >= 4"] }).env.symbols()).toEqual(['s0', 's1']));
});
