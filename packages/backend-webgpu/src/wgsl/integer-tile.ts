import type { Dispatch } from '../kernel.js';
import { ROWS_PER_BLOCK } from '../packing.js';
import { chunksOf, sumFunctions } from './integer-sums.js';
import {
  bytesOf,
  dotFunctions,
  groupSize,
  inputFunctions,
  integerBindings,
  type IntegerLinear,
  integerParameters,
  launchFor,
  parameterSizes,
  range,
  rowFunctions,
} from './integer-weights.js';
import { groupsFor, shader } from './shader.js';

const COLUMNS = 4;
const access = { x: 'word', rows: 4 } as const;

/** What a step along K takes: a word of the weight, four K of it, or four K of which a group has only some. */
type Unit = 'word' | 'quad' | 'part';

function unitOf(init: IntegerLinear): Unit {
  const size = groupSize(init);
  if (init.groups === 1 || size % perWord(init) === 0) return 'word';
  return size % 4 === 0 ? 'quad' : 'part';
}

const perWord = ({ format }: IntegerLinear): number => 4 * bytesOf(format, '').length;

/**
 * A thread makes `rows` × 4 results without workgroup memory, for software adapters: barriers are slow there, and so is
 * compiling, hence loops where a GPU's kernel is unrolled, and sizes as parameters, so that layers share a shader. On GPUs it takes groups
 * that are no whole cells.
 */
export function integerTile(init: IntegerLinear, rows: 1 | 4, takes: (m: number) => boolean): Dispatch {
  const { perChunk, chunks } = chunksOf(init);
  const unit = unitOf(init);
  const each = (text: (i: number) => string): string[] => range(rows).map(text);
  const single = init.groups === 1;
  const dots = [
    ...each((i) => `var d${i} = vec4<i32>(); var a${i} = 0;`),
    ...(unit === 'part'
      ? [
          'let lowest = g * P.size;',
          'let limit = lowest + P.size;',
          'for (var j = lowest / 4u; j * 4u < limit; j++) {',
          '  let mask = (0xffffffffu << (8u * (max(lowest, 4u * j) - 4u * j))) & (0xffffffffu >> (8u * (4u * j + 4u - min(limit, 4u * j + 4u))));',
        ]
      : ['for (var j = g * P.units; j < (g + 1u) * P.units; j++) {']),
    ...step(init, rows, unit),
    '}',
  ];
  const lines = [
    `let tiles = (P.n + ${COLUMNS - 1}u) / ${COLUMNS}u;`,
    'let t = group * 64u + lane;',
    `if (t >= tiles * ((P.m + ${rows - 1}u) / ${rows}u)) { return; }`,
    `let n = (t % tiles) * ${COLUMNS}u;`,
    `let m = (t / tiles) * ${rows}u;`,
    ...each((i) => `let m${i} = min(m + ${i}u, P.m - 1u); let z${i} = row_zero(m${i});`),
    `let base = (n / ${ROWS_PER_BLOCK}u) * P.cells * ${ROWS_PER_BLOCK}u + n % ${ROWS_PER_BLOCK}u;`,
    ...(single
      ? [
          'let g = 0u;',
          ...(straddles(init) ? each(rowStart) : []),
          ...dots,
          ...each((i) => `${i === 0 ? '' : `if (m + ${i}u < P.m) `}{ finish(m${i}, n, d${i}, z${i}, a${i}); }`),
        ]
      : [
          ...each((i) => `var y${i} = start(n); let s${i} = row_scale(m${i});`),
          'var g = 0u;',
          'for (var chunk = 0u; chunk < P.chunks; chunk++) {',
          ...each((i) => `  var c${i} = vec4<f32>();`),
          '  let end = min(g + P.per_chunk, P.groups);',
          '  for (; g < end; g++) {',
          ...dots,
          '  let grid = grids_at(n, g);',
          ...each((i) => `  c${i} = add_groups(c${i}, d${i}, grid, z${i}, a${i});`),
          '  }',
          ...each((i) => `  y${i} = fma(c${i}, vec4<f32>(s${i}), y${i});`),
          '}',
          ...each((i) => `${i === 0 ? '' : `if (m + ${i}u < P.m) `}{ store(m${i}, n, y${i}); }`),
        ]),
  ];
  const units = Math.ceil(groupSize(init) / (unit === 'word' ? perWord(init) : 4));
  return shader({
    label: `integer ${rows}×4 tile`,
    bindings: integerBindings(init, access),
    parameters: { ...integerParameters, units: 'u32', size: 'u32', groups: 'u32', chunks: 'u32', per_chunk: 'u32' },
    declarations: [
      dotFunctions(init),
      inputFunctions(init, access, parameterSizes),
      rowFunctions(init),
      sumFunctions(init, access, parameterSizes),
    ].join('\n'),
    body: lines.join('\n'),
    launch: launchFor(
      init,
      takes,
      (m) => groupsFor(Math.ceil(m / rows) * Math.ceil(init.n / COLUMNS), 64),
      () => ({ units, size: groupSize(init), groups: init.groups, chunks, per_chunk: perChunk }),
    ),
  });
}

/** Whether rows of x begin anywhere in words while K is read from its start: then each word is read once and kept for the next step. */
const straddles = ({ k, groups, kinds }: IntegerLinear): boolean => k % 4 !== 0 && groups === 1 && !kinds.zeros;

/** Row i begins at byte `f` of `p`; `b` is the next word. */
const rowStart = (i: number): string =>
  `let f${i} = ((m${i} * P.k) & 3u) * 8u; var b${i} = (m${i} * P.k) >> 2u; var p${i} = x[min(b${i}, P.last)];`;

/** The next four codes of row i as `r`. */
const nextCodes = ({ x }: IntegerLinear, i: number): readonly string[] => [
  `    b${i} += 1u;`,
  `    let h${i} = x[min(b${i}, P.last)];`,
  `    let r${i} = ((p${i} >> f${i}) | ((h${i} << 1u) << (31u - f${i})))${x.type.dtype === 'u8' ? ' ^ 0x80808080u' : ''};`,
  `    p${i} = h${i};`,
];

/** Statements that add the products of unit `j` to `d0` … and, where the weight has zero points, the codes of x to `a0` … */
function step(init: IntegerLinear, rows: number, unit: Unit): readonly string[] {
  const { format, kinds } = init;
  const halves = bytesOf(format, '').length;
  const word = unit === 'word' || halves === 1 ? 'j' : '(j / 2u)';
  const lines = [
    `  let at = base + (${word} / 4u) * ${ROWS_PER_BLOCK}u;`,
    ...range(COLUMNS).map((c) => `  let w${c} = w[at + ${c}u][${word} % 4u];`),
  ];
  const products = (bytes: (c: number) => string, v: string): void => {
    lines.push('  {', ...range(COLUMNS).map((c) => `    let q${c} = quad(${bytes(c)});`));
    for (const i of range(rows)) {
      if (straddles(init)) lines.push(...nextCodes(init, i));
      const codes = straddles(init) ? `r${i}` : `load_x(m${i}, ${v})`;
      lines.push(`    let x${i} = quad(${codes}${unit === 'part' ? ' & mask' : ''});`);
      lines.push(
        `    d${i} += vec4<i32>(${range(COLUMNS)
          .map((c) => `dot4(q${c}, x${i})`)
          .join(', ')});`,
      );
      if (kinds.zeros) lines.push(`    a${i} += dot4(quad(0x01010101u), x${i});`);
    }
    lines.push('  }');
  };
  if (unit === 'word')
    range(halves).forEach((h) => products((c) => bytesOf(format, `w${c}`)[h]!, halves === 1 ? 'j' : `j * ${halves}u + ${h}u`));
  else products((c) => (halves === 1 ? `w${c}` : `select(${bytesOf(format, `w${c}`).join(', ')}, j % 2u == 1u)`), 'j');
  return lines;
}
