import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readTensorFile } from './files.js';
import { type Ended, runCommand, useEmptyFolder } from '../test/run-command.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../../../fixtures/pt2/${name}`, import.meta.url));
const model = fixture('digits_mlp_qcs4w.float.pt2');
const data = fixture('digits_mlp_qcs4w.safetensors');
useEmptyFolder();

/** What the command prints with `--json`, as far as these tests ask for it. */
interface Answer {
  readonly layers: readonly { readonly name: string; readonly snr?: number }[];
  readonly histogram: { readonly after: Readonly<Record<string, number>> };
  readonly recipes: readonly { readonly name: string }[];
  readonly outputs: readonly { readonly snr: number }[];
  readonly error: { readonly message: string; readonly help?: string };
}
const qfuse = (...args: string[]): Promise<Ended<Answer>> => runCommand<Answer>(...args);
const quantize = (...args: string[]): Promise<Ended<Answer>> => qfuse('quantize', model, '--json', '--device', 'reference', ...args);
const opsOf = async (program: string): Promise<Readonly<Record<string, number>>> =>
  (await qfuse('inspect', program, '--json')).json.histogram.after;

describe('qfuse quantize', () => {
  test('makes what torch makes, and says how far the layers are from float', async () => {
    const made = await quantize(
      '--recipe',
      'weight-only:bits=4',
      '-o',
      'w4.qfuse',
      '--calibrate',
      data,
      '--report',
      'w4.html',
      '--text',
      'w4.txt',
    );
    expect(made).toMatchObject({ code: 0, json: { ok: true, weightBytes: { before: 68096 }, runs: 8 } });
    expect(made.json.layers.map((l) => l.name).toSorted()).toEqual(['ls.0', 'ls.1', 'ls.2']);
    expect(made.json.layers.every((l, i, all) => i === 0 || l.snr! >= all[i - 1]!.snr!)).toBe(true);
    expect(await opsOf('w4.qfuse')).toMatchObject({ 'fused.linear_qcs4w': 3 });
    expect((await qfuse('run', 'w4.qfuse', '--inputs', data, '--expect', data, '--device', 'reference', '--json')).json).toMatchObject({
      ok: true,
    });
    expect(readFileSync('w4.html', 'utf8').match(/<rect /g)).toHaveLength(3);
    expect(readFileSync('w4.txt', 'utf8').match(/quant\.dequantize/g)).toHaveLength(3);
  });

  test('quantizes all nine products of GPT-2, which then differ from float by what the report says', async () => {
    const tensors = fixture('hf_gpt2_w8.safetensors');
    const made = await qfuse(
      'quantize',
      fixture('hf_gpt2_w8.float.pt2'),
      '--recipe',
      'weight-only',
      '--calibrate',
      tensors,
      '-o',
      'gpt2.qfuse',
      '--json',
      '--adapter',
      'software',
    );
    expect(await opsOf('gpt2.qfuse')).toMatchObject({ 'fused.linear_qcs8w': 9 });
    expect((await qfuse('run', 'gpt2.qfuse', '--inputs', tensors, '--output', 'y.safetensors', '--adapter', 'software')).code).toBe(0);
    const [float, here] = [readTensorFile(tensors).get('float.0')!, readTensorFile('y.safetensors').get('out.0')!].map(
      (t) => t.data as Float32Array,
    );
    let [signal, noise] = [0, 0];
    float!.forEach((x, i) => {
      signal += x * x;
      noise += (x - here![i]!) ** 2;
    });
    // The report compares with the float program run here, this with torch's: less than a twentieth of a decibel apart.
    expect(10 * Math.log10(signal / noise)).toBeCloseTo(made.json.outputs[0]!.snr, 1);
  });

  test('calibrates static activations, in one process or in several', async () => {
    expect((await quantize('--recipe', 'static-int8', '-o', 'one.qfuse', '--calibrate', data)).code).toBe(0);
    expect(await opsOf('one.qfuse')).toMatchObject({ 'fused.q8ta_linear': 3, 'quant.quantize': 1, 'quant.dequantize': 1 });
    expect(await quantize('--recipe', 'static-int8', '--calibrate', data, '--save-observers', 'a.json')).toMatchObject({
      code: 0,
      json: { runs: 13 },
    });
    expect(existsSync('one.qfuse')).toBe(true);
    expect((await quantize('--recipe', 'static-int8', '--observers', 'a.json', '-o', 'two.qfuse')).code).toBe(0);
    const [one, two] = await Promise.all(['one', 'two'].map((name) => readFileSync(`${name}.qfuse`)));
    expect(one!.equals(two!)).toBe(true);
  });

  test('leaves modules float that are excluded', async () => {
    expect((await quantize('--recipe', 'dynamic-int8', '--exclude', 'ls.1', '-o', 'd.qfuse')).code).toBe(0);
    expect(await opsOf('d.qfuse')).toMatchObject({ 'aten.linear': 1, 'fused.linear_dq8ca_q8csw': 2, 'fused.dynamic_quantize': 2 });
  });

  test('knows sizes without data', async () => {
    const { out } = await qfuse('quantize', model, '--recipe', 'w4:group=32', '-o', 'g.qfuse');
    expect(out).toContain('weights of 3 layers: 66.5 KiB before');
    expect(out).toContain('without data the error of');
  });

  test('says how far layers are from float where the device runs only the fused program', async () => {
    const on = ['--adapter', 'software', '--json'];
    const made = await qfuse('quantize', model, '--recipe', 'dynamic-int8', '--calibrate', data, '-o', 'd.qfuse', ...on);
    expect([made.code, made.json.layers.length]).toEqual([0, 3]);
    expect(made.json.outputs[0]!.snr).toBeGreaterThan(30);
    const run = await qfuse('run', 'd.qfuse', '--inputs', data, ...on);
    expect(run).toMatchObject({ code: 0, json: { ok: true } });
  });

  test('writes nothing when it fails', async () => {
    expect((await quantize('--recipe', 'static-int8', '-o', 'none.qfuse')).code).toBe(2);
    expect(existsSync('none.qfuse')).toBe(false);
  });

  test.each([
    [['--recipe', 'static-int8'], 'calibrat'],
    [['--recipe', 'int3'], 'there is no recipe "int3"'],
    [['--recipe', 'weight-only:bit=4'], 'recipe weight-only: there is no option "bit"'],
    [['--recipe', 'weight-only:bits=5'], '5'],
    [['--recipe', 'weight-only', '--exclude', 'head'], 'no node comes from a module "head"'],
    [['--recipe', 'weight-only', '--exclude', 'ls'], 'finds nothing to quantize'],
    [['--recipe', 'static-int8', '--calibrate', 'nowhere.npz'], 'nowhere.npz: does not exist'],
    [['--recipe', 'static-int8', '--observers', 'broken.json'], 'broken.json: is not what --save-observers writes'],
    [['--recipe', 'static-int8', '--calibrate', '.'], '.: is a folder, expected a file'],
    [['--recipe', 'static-int8', '--observers', '.'], '.: is a folder, expected a file'],
    [['--recipe', 'weight-only', '-o', '.'], '".": is a folder, expected a file to write'],
    [['--recipe', 'weight-only', '-o', 'nowhere/x.qfuse'], 'nowhere/x.qfuse: does not exist'],
    [['--recipe', 'static-int8', '--observers', 'other.json'], 'this is not the calibration state of the prepared program'],
  ])('says what is wrong: %j', async (args, message) => {
    writeFileSync('broken.json', '{');
    writeFileSync('other.json', '{"version":1,"batches":1,"observers":{}}');
    const { code, json } = await quantize(...args);
    expect(code).toBe(2);
    expect(`${json.error.message} ${json.error.help ?? ''}`).toContain(message);
  });

  test('refuses a program that is fused already', async () => {
    await qfuse('compile', fixture('linear_qcs8w_odd_5x37x19.pt2'), '-o', 'fused.qfuse');
    const { code, json } = await qfuse('quantize', 'fused.qfuse', '--recipe', 'weight-only', '-o', 'again.qfuse', '--json');
    expect([code, json.error.message]).toEqual([2, 'the program has fused.linear_qcs8w: it is compiled already']);
  });

  test('its recipes are listed with the passes', async () => {
    const { json, out } = await qfuse('passes', '--json');
    expect(json.recipes.map((r) => r.name)).toEqual(
      expect.arrayContaining(['weight-only', 'dynamic-int8', 'static-int8', 'w4', '8da4w', 'embedding']),
    );
    expect(out).toContain('"type"');
  });
});
