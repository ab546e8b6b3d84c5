import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type Ended, runCommand, useEmptyFolder } from '../test/run-command.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../../../fixtures/pt2/${name}`, import.meta.url));
const model = fixture('linear_qcs8w_odd_5x37x19.pt2');
const data = fixture('linear_qcs8w_odd_5x37x19.safetensors');
useEmptyFolder();

/** What a command prints with `--json`, as far as these tests ask for it. */
interface Answer {
  readonly adapter: string;
  readonly ms: Readonly<Record<string, number>>;
  readonly histogram: unknown;
  readonly checks: readonly { readonly kind: string; readonly ok: boolean }[];
  readonly stays: readonly unknown[];
  readonly passes: readonly { readonly name: string }[];
  readonly plugins: readonly string[];
  readonly error: { readonly message: string; readonly reproducer: string };
}

const qfuse = (...args: string[]): Promise<Ended<Answer>> => runCommand<Answer>(...args);

describe('the way of a model', () => {
  test('compile, run the program, inspect it', async () => {
    const compiled = await qfuse('compile', model, '-o', 'm.qfuse', '--text', 'm.txt', '--json');
    expect(compiled).toMatchObject({ code: 0, json: { ok: true, output: 'm.qfuse' } });
    expect(readFileSync('m.txt', 'utf8')).toContain('fused.linear_qcs8w(');
    const run = await qfuse('run', 'm.qfuse', '--inputs', data, '--expect', data, '--device', 'reference', '--output', 'y.npy', '--json');
    expect(run.code).toBe(0);
    expect(run.json).toMatchObject({
      ok: true,
      adapter: 'reference interpreter',
      outputs: [{ name: 'out.0', shape: [5, 19], dtype: 'f32', withinTolerance: true }],
    });
    expect(Object.keys(run.json.ms)).toEqual(['load', 'compile', 'firstRun', 'run']);
    expect(existsSync('y.npy')).toBe(true);
    const inspected = await qfuse('inspect', 'm.qfuse', '--json');
    expect(inspected.json.histogram).toEqual({ before: { 'aten.linear': 1, 'quant.dequantize': 1 }, after: { 'fused.linear_qcs8w': 1 } });
  });

  test('run on the software adapter of WebGPU', async () => {
    const run = await qfuse('run', model, '--inputs', data, '--expect', data, '--adapter', 'software', '--json');
    expect(run).toMatchObject({ code: 0, json: { ok: true, outputs: [{ withinTolerance: true }] } });
    expect(run.json.adapter).toContain('swiftshader');
  });

  test('verify proves the rewrite and the whole', async () => {
    const { code, json } = await qfuse('verify', model, '--device', 'reference', '--json');
    expect(code).toBe(0);
    expect(json.checks.map((c) => c.kind)).toContain('rewrite');
    expect(json.checks.at(-1)).toMatchObject({ kind: 'program', ok: true });
  });

  test('explain says why a quantize or dequantize stays', async () => {
    const { json } = await qfuse('explain', fixture('q8ta_linear_chain.pt2'), '--json');
    expect(json.stays).toMatchObject([
      { op: 'quant.quantize', why: 'it makes the integers that fused.q8ta_linear reads of the float input "x"' },
      { op: 'quant.dequantize', why: 'it makes the floats that the program returns of the integers of fused.q8ta_linear' },
    ]);
    const alone = await qfuse(
      'explain',
      fixture('q8ta_linear_chain.pt2'),
      '--pipeline',
      'normalize(canonicalize), fuse(fuse-linear-qcsnw)',
      '--json',
    );
    expect(alone.json.stays).toContainEqual(
      expect.objectContaining({
        op: 'quant.dequantize',
        rule: 'fuse-linear-qcsnw/weight-only',
        why: 'the activation is quantized: this is not a weight-only linear',
      }),
    );
    expect((await qfuse('explain', model)).out).toContain('no quantize or dequantize stays');
  });

  test('plan, passes, bench and doctor answer programs', async () => {
    expect((await qfuse('plan', model, '--json')).json).toMatchObject({
      pipeline: expect.stringContaining('fuse-linear-qcsnw'),
      device: { adapter: 'portable' },
    });
    expect((await qfuse('passes', '--json')).json.passes.map((p) => p.name)).toContain('fuse-linear-qcsnw');
    expect((await qfuse('bench', model, '--device', 'reference', '--runs', '2', '--json')).json.ms['median']).toBeGreaterThan(0);
    expect((await qfuse('doctor', '--json')).json.plugins).toContain('@qfuse/pass-dce@0.1.0');
  });
});

describe('exit codes', () => {
  test('2: usage errors are JSON too where that is asked for', async () => {
    const { code, json } = await qfuse('run', '--json');
    expect([code, json.error.message]).toEqual([2, "missing required argument 'model'"]);
    const unknown = await qfuse('explain', model, '--at', 'nowhere', '--json');
    expect([unknown.code, unknown.json.error.message]).toEqual([2, 'no rule was tried at a node "nowhere"']);
  });

  test('1: numbers outside the tolerance', async () => {
    const other = fixture('linear_qcs4w_odd_5x37x19.safetensors');
    const { code, json } = await qfuse(
      'run',
      model,
      '--inputs',
      data,
      '--expect',
      other,
      '--device',
      'reference',
      '--atol',
      '0',
      '--rtol',
      '0',
      '--json',
    );
    expect(code).toBe(1);
    expect(json).toMatchObject({ ok: false, outputs: [{ withinTolerance: false }] });
  });

  test.each([
    ['no command', [], /Usage: qfuse/],
    ['an unknown command', ['fuse'], /unknown command 'fuse'/],
    ['an unknown option', ['run', 'x', '--fast'], /unknown option '--fast'/],
    ['a wrong device', ['run', 'x', '--device', 'cpu'], /Allowed choices are webgpu, reference/],
    ['a negative tolerance', ['run', 'x', '--atol', '-1'], /expected a number that is at least 0/],
    ['a model that is not there', ['run', 'nothing.pt2'], /nothing\.pt2: does not exist/],
    ['a folder as a model', ['inspect', '.'], /is not a file|is a folder/],
    ['a file of another kind', ['inspect', data], /holds no qfuse program/],
    ['inputs that are a model', ['run', model, '--inputs', model], /linear_qcs8w_odd_5x37x19\.pt2/],
    ['a pass that is not there', ['inspect', model, '--pipeline', 'fuse(nothing)'], /there is no pass "nothing"/],
    [
      'an adapter with the interpreter',
      ['run', model, '--device', 'reference', '--adapter', 'software'],
      /--adapter belongs to --device webgpu/,
    ],
    ['an adapter that is not there', ['run', model, '--adapter', 'voodoo'], /voodoo/],
    ['a reproducer that is none', ['replay', data], /not a reproducer/],
  ])('2: %s', async (_, args, message) => {
    const { code, out, err } = await qfuse(...args);
    expect(code).toBe(2);
    expect(out + err).toMatch(message);
    expect(out + err).not.toMatch(/\n\s+at /);
  });

  test('2: a damaged model, and nothing is written', async () => {
    writeFileSync('cut.pt2', readFileSync(model).subarray(0, 5000));
    const { code, err } = await qfuse('compile', 'cut.pt2');
    expect(code).toBe(2);
    expect(err).toContain('cut.pt2: ');
    expect(existsSync('cut.qfuse')).toBe(false);
  });

  test('3: what no kernel takes is listed, with the nodes', async () => {
    const { code, json } = await qfuse('run', fixture('digits_cnn_q8ta.pt2'), '--inputs', fixture('digits_cnn_q8ta.safetensors'), '--json');
    expect(code).toBe(3);
    expect(json.error).toMatchObject({ code: 'webgpu/unsupported', message: expect.stringContaining('conv2d') });
  });

  test('3: a device without the ops of a model, also when it is verified', async () => {
    const { code, json, out } = await qfuse('verify', fixture('q8ta_conv_chain.pt2'), '--adapter', 'software', '--json');
    expect(code).toBe(3);
    expect(json.checks.filter((c) => !c.ok)).toMatchObject([{ what: 'after, on the device', unsupported: true }]);
    expect(out).toContain('aten.convolution');
    const text = (await qfuse('verify', fixture('q8ta_conv_chain.pt2'), '--adapter', 'software')).out;
    expect(text).toContain('not run after, on the device: 2 nodes have no kernel');
    expect(text).toContain('0 wrong, 1 not supported');
  });

  test('4: a defect writes a reproducer, which replay runs', async () => {
    writeFileSync(
      'qfuse.config.mjs',
      `const broken = { name: 'broken', summary: 'fails', phase: 'fuse', requires: [], provides: [], breaks: [], after: [], before: [], keeps: [], optionSpecs: {}, options: {}, rules: undefined, run: () => { throw new Error('by design'); }, with: () => broken };
export default { plugins: [{ name: 'broken-plugin', version: '1.0.0', api: 1, passes: [broken] }] };`,
    );
    const { code, json } = await qfuse('compile', model, '--json');
    expect(code).toBe(4);
    expect(json.error.message).toContain('by design');
    const replayed = await qfuse('replay', json.error.reproducer, '--json');
    expect(replayed).toMatchObject({ code: 4, json: { error: { message: expect.stringContaining('by design') } } });
    rmSync('qfuse.config.mjs');
    expect((await qfuse('replay', json.error.reproducer)).err).toContain('there is no pass "broken"');
  });

  test('a configuration in TypeScript is read', async () => {
    writeFileSync('qfuse.config.ts', 'const plugins: readonly never[] = [];\nexport default { plugins };\n');
    expect((await qfuse('passes', '--json')).json.passes).toEqual([]);
    rmSync('qfuse.config.ts');
    expect(await qfuse('passes', '--config', 'none.ts')).toMatchObject({ code: 2 });
  });
});

test('who reads the output may end before it does', async () => {
  const bin = fileURLToPath(new URL('./bin.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions', '@qfuse/source', '--import', import.meta.resolve('tsx'), bin, 'passes', '--json']);
  child.stdout.destroy();
  let err = '';
  child.stderr.on('data', (text) => void (err += String(text)));
  expect([await once(child, 'close'), err]).toEqual([[0, null], '']);
});

test('a recipe that fails is named, and the report has where', async () => {
  writeFileSync(
    'broken.config.mjs',
    `const create = () => { throw new Error('r failed: boom', { cause: new TypeError('boom') }); };
export default { plugins: [{ name: 'p', version: '1.0.0', api: 1, recipes: [{ name: 'r', summary: '', options: {}, create }] }] };`,
  );
  const { code, json } = await qfuse('quantize', model, '--recipe', 'r', '--config', 'broken.config.mjs', '--json');
  expect([code, json.error.message]).toEqual([4, 'this should not have happened: r failed: boom']);
  expect(readFileSync(json.error.reproducer, 'utf8')).toMatch(/Error: r failed: boom\n[^]*\ncaused by TypeError: boom\n/);
});

test('every command has help with examples', async () => {
  for (const name of ['compile', 'run', 'inspect', 'plan', 'explain', 'passes', 'verify', 'bench', 'doctor', 'replay']) {
    const { code, out } = await qfuse(name, '--help');
    expect([name, code]).toEqual([name, 0]);
    expect(out).toMatch(/--json[\s\S]*Examples:\n {2}\$ qfuse /);
  }
});
