import { bufferSource, Constant, constantOf, Editor, printGraph, QfuseError, sourceOrigin, tensorOf, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import {
  checkConstants,
  compileGraph,
  createCompilerRegistry,
  loadModel,
  readNpy,
  readProgram,
  readTensors,
  writeNpy,
  writeProgram,
  writeTensors,
} from './index.js';

const registry = createCompilerRegistry([]);
const concat = (parts: Iterable<Uint8Array>): Uint8Array => {
  const all = [...parts];
  const out = new Uint8Array(all.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of all) {
    out.set(p, at);
    at += p.length;
  }
  return out;
};
const codeOf = async (run: () => unknown): Promise<string> => {
  try {
    await run();
  } catch (error) {
    if (error instanceof QfuseError) return error.code;
    throw error;
  }
  return 'nothing thrown';
};

async function program(): Promise<{ readonly bytes: Uint8Array; readonly text: string }> {
  const text = `graph @main(%x: f32[s0, 4]) where s0 in [1, 8] by 2 {
  %s = buffer "s" : f32[20] = splat<0.5>
  %0 = aten.linear(%x, %x) : f32[s0, s0]
  return %0
}`;
  const { graph } = await loadModel(new TextEncoder().encode(text), registry, 'model.txt');
  const edit = new Editor(graph);
  edit.origin = sourceOrigin('fc', 'layers.0');
  const i4 = edit.addConstant(
    'packed',
    'parameter',
    Constant.of(tensorType('i4', [3, 7]), Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])),
  );
  const i8 = edit.addConstant(
    'w.1',
    'parameter',
    constantOf(
      tensorOf(
        'i8',
        [40],
        Array.from({ length: 40 }, (_, i) => i - 20),
      ),
    ),
  );
  const twin = edit.addConstant(
    'twin',
    'parameter',
    constantOf(
      tensorOf(
        'i8',
        [40],
        Array.from({ length: 40 }, (_, i) => i - 20),
      ),
    ),
  );
  edit.setOutputs([...graph.outputs, i4, i8, twin]);
  const compiled = await compileGraph(graph, registry, { source: 'model.txt' });
  return { bytes: concat(writeProgram(graph, compiled.info)), text: printGraph(graph, { header: true, origins: true }) };
}

describe('.qfuse', () => {
  test('a program reads back as it was written, with its history', async () => {
    const { bytes, text } = await program();
    const { graph, info } = readProgram(bufferSource(bytes), (name) => registry.ops.get(name));
    expect(printGraph(graph, { header: true, origins: true })).toBe(text);
    expect(info).toEqual({
      source: 'model.txt',
      pipeline: '',
      plugins: ['@qfuse/ops@0.1.0', '@qfuse/import-pt2@0.1.0', '@qfuse/quantizer@0.1.0'],
      before: { 'aten.linear': 1 },
    });
    expect(graph.constants.find((c) => c.name === 'packed')!.constant.bytes()).toEqual(
      Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
    );
  });

  test('equal constants are stored once', async () => {
    const { bytes } = await program();
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<string, unknown>;
    expect(Object.keys(header).length).toBe(1 + 3);
  });

  test('loadModel tells it by its content', async () => {
    const { bytes } = await program();
    expect((await loadModel(bytes, registry, 'whatever.bin')).format).toBe('qfuse');
  });

  test('any flipped byte and any cut is noticed', async () => {
    const { bytes } = await program();
    const check = (damaged: Uint8Array) =>
      codeOf(() => checkConstants(readProgram(bufferSource(damaged), (name) => registry.ops.get(name)).graph));
    for (let at = 0; at < bytes.length; at += 7) {
      const copy = bytes.slice();
      copy[at]! ^= 0x20;
      // White space in the header is the one place where a change means nothing.
      const verdict = bytes[at] === 0x20 ? 'ir/white-space' : await check(copy);
      expect(verdict, `byte ${at}: ${new TextDecoder('latin1').decode(bytes.subarray(at - 20, at + 10))}`).toMatch(
        /^(safetensors|qfuse-file|ir)\//,
      );
      expect(await check(bytes.subarray(0, at)), `cut at ${at}`).toBe('safetensors/damaged');
    }
  });

  test('another version and another safetensors file are refused with what to do', async () => {
    const { bytes } = await program();
    const text = new TextDecoder('latin1').decode(bytes);
    const later = Uint8Array.from(text.replace('"version":"1"', '"version":"9"'), (c) => c.charCodeAt(0));
    expect(await codeOf(() => readProgram(bufferSource(later), () => undefined))).toBe('qfuse-file/version');
    const tensors = writeTensors(new Map([['x', tensorOf('f32', [2], [1, 2])]]), 'x.safetensors');
    expect(await codeOf(() => loadModel(tensors, registry, 'x.safetensors'))).toBe('qfuse-file/format');
  });
});

describe('tensor files', () => {
  const tensors = new Map([
    ['a', tensorOf('f32', [2, 3], [1, -2, 3.5, 0, NaN, Infinity])],
    ['b', tensorOf('i64', [], [-9007199254740993n])],
    ['c', tensorOf('bool', [0, 4], [])],
    ['d', tensorOf('bf16', [2], [1, 0.5])],
  ]);

  test('safetensors keeps every dtype', () => {
    expect(readTensors(writeTensors(tensors, 'x.safetensors'), 'x')).toEqual(tensors);
  });

  test.each(['f32', 'f64', 'f16', 'i64', 'i32', 'i16', 'i8', 'u8', 'bool'] as const)('npy keeps %s', (dtype) => {
    const t = tensorOf(dtype, [2, 2], [0, 1, 1, 0]);
    expect(readNpy(writeNpy(t))).toEqual(t);
    expect(readTensors(writeNpy(t), 'x').get('in.0')).toEqual(t);
  });

  test('npy in Fortran order and big-endian', () => {
    const header = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }".padEnd(117) + '\n';
    const bytes = Uint8Array.from(
      [0x93, ...'NUMPY']
        .map((c) => (typeof c === 'string' ? c.charCodeAt(0) : c))
        .concat(
          [1, 0, 118, 0],
          [...header].map((c) => c.charCodeAt(0)),
          [0, 0, 0, 3, 0, 1, 0, 4, 0, 2, 0, 5],
        ),
    );
    expect(readNpy(bytes)).toEqual(tensorOf('i16', [2, 3], [0, 1, 2, 3, 4, 5]));
  });

  test.each([
    ['nothing', new Uint8Array(0), 'safetensors/damaged'],
    ['a huge header', Uint8Array.from([255, 255, 255, 255, 255, 0, 0, 0, 123]), 'safetensors/damaged'],
    ['a cut npy', writeNpy(tensorOf('f32', [4], [1, 2, 3, 4])).subarray(0, 100), 'npy/damaged'],
    ['a cut npz', Uint8Array.from([0x50, 0x4b, 3, 4, 0, 0]), 'npz/damaged'],
  ])('%s is refused', async (_, bytes, code) => {
    expect(await codeOf(() => readTensors(bytes, 'file'))).toBe(code);
  });

  test('an npy file holds one tensor', async () => {
    expect(await codeOf(() => writeTensors(tensors, 'x.npy'))).toBe('npy/one-array');
    expect(await codeOf(() => writeTensors(tensors, 'x.bin'))).toBe('tensors/format');
  });
});

test.each([
  ['an empty file', new Uint8Array(0), 'load/format'],
  ['a text that is no graph', new TextEncoder().encode('graph @main('), 'ir/parse'],
  ['something else', new TextEncoder().encode('hello, world, this is not a model'), 'load/format'],
])('%s is refused, naming the file', async (_, bytes, code) => {
  expect(await codeOf(() => loadModel(bytes, registry, 'm.pt2x'))).toBe(code);
  await expect(loadModel(bytes, registry, 'm.pt2x')).rejects.toThrow(/^m\.pt2x: /);
});
