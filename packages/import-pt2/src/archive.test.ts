import { readFileSync } from 'node:fs';
import { bufferSource, QfuseError } from '@qfuse/plugin';
import { describe, expect, it } from 'vitest';
import { archive, type ArchiveInit, floats, meta, node, program } from '../test/program-builder.js';
import { buildZip } from '../test/zip-builder.js';
import { openArchive, type Pt2Archive } from './archive.js';

const document = program({
  inputs: { x: meta(7, [2]) },
  nodes: [node('aten.relu.default', { self: 'x' }, ['y'])],
  values: { y: meta(7, [2]) },
  outputs: ['y'],
});
const open = (init: Partial<ArchiveInit>, model?: string): Pt2Archive => openArchive(bufferSource(archive({ document, ...init })), model);
const stored = (dtype: number, sizes: number[], strides?: number[], offset = 0, file = 'weight_0') => ({
  file,
  meta: meta(dtype, sizes, strides, offset),
});
const four = { weight_0: floats(1, 2, 3, 4) };
const numbers = (bytes: Uint8Array): number[] => [...new Float32Array(bytes.slice().buffer)];

/** The code and text of the error that `run` throws. */
function failure(run: () => unknown): string {
  try {
    run();
  } catch (e) {
    if (e instanceof QfuseError) return `${e.code}: ${e.message}`;
    throw e;
  }
  return 'no error';
}

describe('openArchive', () => {
  it('reads what torch wrote', () => {
    const file = readFileSync(new URL('../../../fixtures/pt2/mlp_qcs8w_tied.pt2', import.meta.url));
    const opened = openArchive(bufferSource(file));
    expect(opened.model).toBe('model');
    expect(opened.program.torchVersion).toMatch(/^2\.13/);
    expect(opened.program.nodes.map((n) => n.target)).toContain('torch.ops.aten.linear.default');
  });

  it('reads deflated archives alike', () => {
    const init = { weights: { w: stored(7, [2, 2]) }, files: four };
    expect(
      numbers(
        open({ ...init, deflate: true })
          .tensor('w')
          .bytes(),
      ),
    ).toEqual([1, 2, 3, 4]);
    expect(open({ ...init, deflate: true }).program).toEqual(open(init).program);
  });

  it('gives weights as slices of the source', () => {
    const bytes = archive({ document, weights: { w: stored(7, [2], [1], 1) }, files: four });
    const slice = openArchive(bufferSource(bytes)).tensor('w').bytes();
    expect(numbers(slice)).toEqual([2, 3]);
    expect(slice.buffer).toBe(bytes.buffer);
  });

  it.each<[string, number[], number[], number, number[]]>([
    ['a transposed tensor', [2, 2], [1, 2], 0, [1, 3, 2, 4]],
    ['a column', [2], [2], 1, [2, 4]],
    ['an expanded tensor', [2, 2], [0, 1], 2, [3, 4, 3, 4]],
    ['an empty tensor', [0, 2], [2, 1], 0, []],
    ['a scalar', [], [], 3, [4]],
    ['overlapping windows', [3, 2], [1, 1], 0, [1, 2, 2, 3, 3, 4]],
  ])('honours strides and offset of %s', (_, sizes, strides, offset, expected) => {
    expect(
      numbers(
        open({ weights: { w: stored(7, sizes, strides, offset) }, files: four })
          .tensor('w')
          .bytes(),
      ),
    ).toEqual(expected);
  });

  it('makes one Constant of tied tensors, and two of two views of one storage', () => {
    const opened = open({ weights: { a: stored(7, [2, 2]), b: stored(7, [2, 2]), t: stored(7, [2, 2], [1, 2]) }, files: four });
    expect(opened.tensor('a')).toBe(opened.tensor('b'));
    expect(opened.tensor('a')).not.toBe(opened.tensor('t'));
  });

  it('reads constants as well as weights', () => {
    expect(
      numbers(
        open({ constants: { c: stored(7, [1], [1], 0, 'tensor_0') }, files: { tensor_0: floats(7) } })
          .tensor('c')
          .bytes(),
      ),
    ).toEqual([7]);
  });

  it.each<[number, string]>([
    [1, 'u8'],
    [2, 'i8'],
    [3, 'i16'],
    [4, 'i32'],
    [5, 'i64'],
    [6, 'f16'],
    [7, 'f32'],
    [8, 'f64'],
    [12, 'bool'],
    [13, 'bf16'],
    [28, 'u16'],
  ])('knows scalar type %i as %s', (scalarType, dtype) => {
    expect(open({ weights: { w: stored(scalarType, [1]) }, files: { weight_0: new Uint8Array(8) } }).tensor('w').type.dtype).toBe(dtype);
  });

  it('does not read weights that nobody asks for', () => {
    const opened = open({ weights: { bad: { ...stored(10, [1]), pickle: true } }, files: { weight_0: new Uint8Array(4) } });
    expect(opened.program.nodes.length).toBe(1);
  });

  it.each<[string, Partial<ArchiveInit>, RegExp]>([
    ['a missing tensor', {}, /^pt2\/archive: the program uses tensor "w", which is not in the archive/],
    [
      'a missing file',
      { weights: { w: stored(7, [1]) } },
      /pt2\/archive: tensor "w" is in "data\/weights\/weight_0", which the archive does not have/,
    ],
    ['a file name outside', { weights: { w: stored(7, [1], [1], 0, '../../x') } }, /is in "\.\.\/\.\.\/x", which is not a file/],
    [
      'a pickled tensor',
      { weights: { w: { ...stored(7, [1]), pickle: true } }, files: four },
      /^pt2\/unsupported-pickle: tensor "w" is stored as a Python pickle/,
    ],
    ['a complex tensor', { weights: { w: stored(10, [1]) }, files: four }, /^pt2\/unsupported-dtype: tensor "w" has dtype complex64/],
    ['a float8 tensor', { weights: { w: stored(29, [1]) }, files: four }, /float8_e4m3fn/],
    ['an unknown dtype', { weights: { w: stored(99, [1]) }, files: four }, /^pt2\/program: .*scalar type 99/],
    [
      'a sparse tensor',
      { weights: { w: { file: 'weight_0', meta: { ...meta(7, [1]), layout: 1 } } }, files: four },
      /^pt2\/unsupported-layout: .*dense/,
    ],
    [
      'a tensor beyond its storage',
      { weights: { w: stored(7, [2, 2], [2, 1], 1) }, files: four },
      /reaches to byte 20 of "data\/weights\/weight_0", which has 16/,
    ],
    ['an offset beyond its storage', { weights: { w: stored(7, [1], [1], 99) }, files: four }, /reaches to byte 400/],
    ['a tensor without data', { weights: { w: stored(7, [2]) }, files: { weight_0: new Uint8Array(0) } }, /has no data in the archive/],
    ['impossible sizes', { weights: { w: stored(7, [2 ** 30, 2 ** 30, 2 ** 30], [0, 0, 0]) }, files: four }, /impossible sizes/],
    ['a huge expanded tensor', { weights: { w: stored(7, [2 ** 20, 2 ** 20], [0, 0]) }, files: four }, /repeats 16 stored bytes to/],
    ['negative sizes', { weights: { w: stored(7, [-1]) }, files: four }, /sizes of tensor "w" holds -1/],
    ['negative strides', { weights: { w: stored(7, [2], [-1], 1) }, files: four }, /strides of tensor "w" holds -1/],
    ['symbolic sizes', { weights: { w: { file: 'weight_0', meta: meta(7, ['s0']) } }, files: four }, /sizes of tensor "w" holds "s0"/],
    ['other ranks of strides', { weights: { w: stored(7, [2], [1, 1]) }, files: four }, /1 sizes and 2 strides/],
    ['too many axes', { weights: { w: stored(7, new Array<number>(65).fill(1)) }, files: four }, /a list of at most 64/],
  ])('refuses %s', (_, init, message) => expect(failure(() => open(init).tensor('w').bytes())).toMatch(message));

  it('checks the CRC-32 before a weight is given out', () => {
    const bytes = archive({ document, weights: { w: stored(7, [4]) }, files: four });
    const at = bytes.findIndex((_, i) => new DataView(bytes.buffer).getFloat32(i, true) === 3);
    bytes[at]! ^= 1;
    const opened = openArchive(bufferSource(bytes));
    expect(failure(() => opened.tensor('w').bytes())).toMatch(/^pt2\/archive: "m\/data\/weights\/weight_0" is damaged: its CRC-32/);
  });

  it.each<[string, ArchiveInit['change'], RegExp]>([
    ['another format', { archive_format: 'pt3' }, /^pt2\/version: the archive has format "pt3", expected "pt2"/],
    ['another version', { archive_version: '7' }, /^pt2\/version: the archive has version "7", expected "0"/],
    ['big-endian data', { byteorder: 'big' }, /^pt2\/unsupported-byteorder: .*"big", expected "little"/],
    ['a word that is a book', { archive_format: 'x'.repeat(1000) }, /1000 bytes, at most 64/],
    ['no program', { 'models/model.json': undefined }, /^pt2\/archive: the archive has no program/],
    ['compiled code only', { 'models/model.json': undefined, 'data/aotinductor/model/x.so': 'x' }, /AOTInductor/],
    ['two programs', { 'models/other.json': '{}' }, /several models: "model", "other"/],
    [
      'no weights configuration',
      { 'data/weights/model_weights_config.json': undefined },
      /no file "data\/weights\/model_weights_config\.json"/,
    ],
    ['pickled weights', { 'data/weights/model.pt': 'x' }, /^pt2\/version: the archive's weights are one Python pickle/],
    [
      'a configuration that is no JSON',
      { 'data/weights/model_weights_config.json': '{' },
      /^pt2\/program: data\/weights\/model_weights_config\.json is not valid JSON/,
    ],
    ['a configuration without tensors', { 'data/weights/model_weights_config.json': '{}' }, /has no "config"/],
    ['a program that is no JSON', { 'models/model.json': 'hello' }, /^pt2\/program: models\/model\.json is not valid JSON: at character 0/],
    ['a list as program', { 'models/model.json': '[]' }, /models\/model\.json is a list, expected an object/],
    ['no schema version', { 'models/model.json': '{}' }, /no "schema_version"/],
    [
      'an older schema',
      { 'models/model.json': '{"schema_version": {"major": 7, "minor": 3}}' },
      /^pt2\/version: .*schema version 7\.3, expected 8\.x/,
    ],
    [
      'a newer schema',
      { 'models/model.json': '{"schema_version": {"major": 9, "minor": 0}}' },
      /^pt2\/version: .*schema version 9\.0, expected 8\.x/,
    ],
    ['deep nesting', { 'models/model.json': '['.repeat(100_000) }, /nests deeper/],
  ])('refuses an archive with %s', (_, change, message) => expect(failure(() => open({ change: change! }))).toMatch(message));

  it('refuses text that is not UTF-8', () => {
    const bytes = buildZip([
      { name: 'm/archive_format', data: 'pt2' },
      { name: 'm/models/model.json', data: Uint8Array.of(0x22, 0xff, 0x22) },
    ]);
    expect(failure(() => openArchive(bufferSource(bytes)))).toMatch(/"models\/model\.json" is not UTF-8/);
  });

  it('opens the model that is named', () => {
    expect(open({ change: { 'models/other.json': '{}' } }, 'model').model).toBe('model');
    expect(failure(() => open({}, 'nope'))).toMatch(/no model "nope"; it has "model"/);
  });

  it.each([
    [[{ name: 'archive/serialized_exported_program.json', data: '{}' }], /^pt2\/version: .*older \.pt2 layout/],
    [[{ name: 'model/data.pkl', data: '' }], /torch\.save or torch\.jit\.save/],
    [[{ name: 'word/document.xml', data: '' }], /has no file "archive_format"/],
    [
      [
        { name: 'a/archive_format', data: 'pt2' },
        { name: 'b/archive_format', data: 'pt2' },
      ],
      /several \.pt2 archives/,
    ],
  ])('says what other zip files are', (files, message) =>
    expect(failure(() => openArchive(bufferSource(buildZip(files))))).toMatch(message),
  );

  it('reads an archive without a top folder', () => {
    const bytes = buildZip([
      { name: 'archive_format', data: 'pt2' },
      { name: 'models/m.json', data: JSON.stringify(document) },
      { name: 'data/weights/m_weights_config.json', data: '{"config": {}}' },
      { name: 'data/constants/m_constants_config.json', data: '{"config": {}}' },
    ]);
    expect(openArchive(bufferSource(bytes)).model).toBe('m');
  });
});
