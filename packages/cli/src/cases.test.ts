import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  compareTensors,
  compileGraph,
  createCompilerRegistry,
  histogram,
  loadModel,
  readProgram,
  readTensors,
  writeProgram,
} from '@qfuse/compiler';
import { type Graph, type HostTensor, bufferSource } from '@qfuse/ir';
import { presetWebGPU } from '@qfuse/preset-webgpu';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRunner, type Runner } from './runner.js';

// Real exports of torch, from the archive and from the compiled program, in the interpreter and on the software adapter.
const read = (path: string): Buffer => readFileSync(fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url)));

interface Case {
  readonly name: string;
  /** File with inputs and outputs; default: the name with the ending .safetensors. */
  readonly data?: string;
  readonly expect?: Readonly<Record<string, number>>;
}

const inScope =
  /^(linear_qcs|mlp_qcs8w_tied$|digits_mlp_|hf_bert_w8_dyn$|hf_gpt2_w8$|hf_torch_encoder_w8|q8ta_linear_|mlp_dyn8_qcs8w|dq8ca_q4gsw_g32|q4gsw_|embedding_q4gsw|hf_llama_8da4w$)/;
const casesOf = (folder: string) => (JSON.parse(read(`${folder}/cases.json`).toString()) as Case[]).map((c) => ({ ...c, folder }));
const cases = [...casesOf('pt2').filter((c) => inScope.test(c.name)), ...casesOf('family')];
const dataFiles = ({ name, data = `${name}.safetensors` }: Case): string[] =>
  name === 'hf_bert_w8_dyn' ? [data, `${name}.3x17.safetensors`] : [data];

const registry = createCompilerRegistry(presetWebGPU());
const runners = new Map<string, Runner>();
beforeAll(async () => {
  runners.set('reference', await openRunner({ device: 'reference' }, registry));
  runners.set('webgpu', await openRunner({ device: 'webgpu', adapter: 'software' }, registry));
});
afterAll(() => {
  for (const runner of runners.values()) runner.close();
});

/** What differs: outputs are to lie within 1e-4 of the largest one. */
function differences(actual: readonly HostTensor[], data: ReadonlyMap<string, HostTensor>): readonly string[] {
  return actual.flatMap((tensor, i) => {
    const wanted = data.get(`out.${i}`)!;
    let largest = 0;
    for (const x of wanted.data) largest = Math.max(largest, Math.abs(Number(x)));
    const { withinTolerance, maxAbsError, problem } = compareTensors(tensor, wanted, { atol: 1e-4 * largest, rtol: 0 });
    return withinTolerance ? [] : [`output ${i}: ${problem || `${maxAbsError} off, the largest element is ${largest}`}`];
  });
}

test('all cases of the issue are there', () => expect(cases.length).toBeGreaterThanOrEqual(48));

describe.each(cases)('$name', (given) => {
  const { name, folder, expect: wanted } = given;
  const graphs: { from: string; graph: Graph }[] = [];
  beforeAll(async () => {
    const { graph } = await loadModel(read(`${folder}/${name}.pt2`), registry, name);
    const { info } = await compileGraph(graph, registry);
    graphs.push({ from: 'archive', graph });
    graphs.push({
      from: 'program',
      graph: readProgram(bufferSource(Buffer.concat([...writeProgram(graph, info)])), (op) => registry.ops.get(op)).graph,
    });
  });

  test('is fused: what is expected is there, and no other quantize and dequantize', () => {
    for (const { graph } of graphs) {
      const ops = histogram(graph);
      const { quantize = 0, dequantize = 0, dequantize_weight: weights, ...fused } = wanted ?? {};
      const left = { quantize: ops['quant.quantize'] ?? 0, dequantize: ops['quant.dequantize'] ?? 0 };
      // Of static activations those at the borders of the program stay; of weights none does.
      if (weights === undefined) expect(left).toEqual({ quantize, dequantize });
      else
        expect([...graph.nodes()].filter((n) => n.op.name === 'quant.dequantize' && n.operands[0]!.constant !== undefined)).toHaveLength(
          weights,
        );
      expect(Object.keys(fused).map((op) => [op, ops[`fused.${op}`]])).toEqual(Object.entries(fused));
      expect(ops['quant.choose_qparams']).toBeUndefined();
    }
  });

  test.each(['reference', 'webgpu'])('is right on %s', async (device) => {
    for (const { graph } of graphs) {
      const prepared = await runners.get(device)!.prepare(graph);
      for (const file of dataFiles(given)) {
        const data = readTensors(read(`${folder}/${file}`), file);
        const inputs = graph.inputs.map((_, i) => data.get(`in.${i}`)!);
        expect(differences(await prepared.run(inputs), data)).toEqual([]);
      }
      prepared.dispose();
    }
  });
});
