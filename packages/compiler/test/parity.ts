import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Float32Evaluator, runGraph } from '@qfuse/interp';
import { attrText, decodeElements, type Graph, type HostTensor, nodeAttrs, typeText, type Value } from '@qfuse/ir';
import { createPlan, type Registry, runPlan } from '@qfuse/pass-manager';
import {
  type Batch,
  calibrate,
  convert,
  embeddingQuantizer,
  getIntxQuantizationConfig,
  getSymmetricQuantizationConfig,
  getXNNPACKQuantizationConfig,
  linearQuantizer,
  prepare,
  type Quantizer,
  xnnpackQuantizer,
} from '@qfuse/quantizer';
import { compileGraph } from '../src/compile.js';
import { loadModel } from '../src/model.js';
import { readTensors } from '../src/tensor-files.js';

/** A float program and what torch or torchao made of it. */
export interface ParityCase {
  readonly name: string;
  /** How: the quantizer and the options of its config. */
  readonly how: { readonly quantizer: string; readonly embedding?: boolean } & Readonly<Record<string, unknown>>;
  /** Whether all that is observed is computed by operators whose f32 results are torch's; else scales may differ in their last bits. */
  readonly exact?: boolean;
  readonly folder: string;
}

/** The text of a file of the fixtures. */
export const fixture = (path: string): Buffer => readFileSync(fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url)));

/** The quantizer of a case. */
function quantizerOf({ quantizer, embedding = false, ...options }: ParityCase['how']): Quantizer {
  if (quantizer === 'xnnpack') return xnnpackQuantizer({ global: getXNNPACKQuantizationConfig(options) });
  if (quantizer === 'vulkan') return linearQuantizer({ global: getSymmetricQuantizationConfig(options) });
  return (embedding ? embeddingQuantizer : linearQuantizer)({ global: getIntxQuantizationConfig(options) });
}

/** Calibration data of a case: its own, or for the trained digits eight times 32 of the held-out images, else the inputs. */
function batchesOf({ name, folder }: ParityCase): readonly Batch[] {
  const data = readTensors(fixture(`${folder}/${name}.safetensors`), name);
  const batch = (prefix: string): Batch => {
    const tensors: HostTensor[] = [];
    for (let i = 0; data.has(`${prefix}.${i}`); i++) tensors.push(data.get(`${prefix}.${i}`)!);
    return tensors;
  };
  const own: Batch[] = [];
  for (let b = 0; data.has(`calib.${b}.0`); b++) own.push(batch(`calib.${b}`));
  if (own.length > 0) return own;
  const inputs = batch('in');
  return data.has('labels') ? Array.from({ length: 8 }, (_, i) => [rowsOf(inputs[0]!, 32 * i, 32)]) : [inputs];
}

function rowsOf({ dtype, shape, data }: HostTensor, first: number, count: number): HostTensor {
  const row = shape.slice(1).reduce((a, b) => a * b, 1);
  return { dtype, shape: [count, ...shape.slice(1)], data: data.slice(first * row, (first + count) * row) };
}

const evaluator = new Float32Evaluator();

/** The float program of a case, quantized here and fused. */
export async function quantizedHere(test: ParityCase, registry: Registry, normalized: boolean): Promise<Graph> {
  const graph = await loaded(`${test.folder}/${test.name}.float.pt2`, registry);
  if (normalized) await runPlan(graph, createPlan([...registry.passes.values()].filter((p) => p.phase === 'normalize')));
  const prepared = prepare(graph, quantizerOf(test.how));
  if (prepared.needsCalibration) await calibrate(prepared, (g, inputs) => runGraph(g, inputs, evaluator).outputs, batchesOf(test));
  return fused(convert(prepared), registry);
}

/** What torch made of it, fused. */
export const quantizedThere = async (test: ParityCase, registry: Registry): Promise<Graph> =>
  fused(await loaded(`${test.folder}/${test.name}.pt2`, registry), registry);

const loaded = async (path: string, registry: Registry): Promise<Graph> => (await loadModel(fixture(path), registry, path)).graph;

async function fused(graph: Graph, registry: Registry): Promise<Graph> {
  await compileGraph(graph, registry);
  return graph;
}

/**
 * A graph as text that does not depend on names and on the order of independent nodes: each value once, constants by their contents.
 * @param digits - digits to which single f32 numbers count; default: all bits
 */
export function canonicalText(graph: Graph, digits?: number): string {
  const lines = new Map<string, number>();
  const known = new Map<Value, number>();
  const line = (text: string): number => {
    if (!lines.has(text)) lines.set(text, lines.size);
    return lines.get(text)!;
  };
  const leaf = (v: Value): string => {
    const { constant, type } = v;
    if (constant === undefined) return `input ${graph.inputs.indexOf(v)} ${typeText(type)}`;
    if (digits === undefined || typeText(type) !== 'f32[]') return `constant ${typeText(type)} ${constant.key}`;
    return `number ${Number(decodeElements('f32', constant.bytes(), 1)[0]).toPrecision(digits)}`;
  };
  const of = (v: Value): number => {
    let number = known.get(v);
    if (number === undefined) {
      const { producer } = v;
      if (producer === undefined) number = line(leaf(v));
      else {
        const { op, operands } = producer;
        const attrs = nodeAttrs(producer);
        const given = op.attrNames.map((name) => `${name} = ${attrText(op.attrs[name]!, attrs[name])}`).join(', ');
        number = line(`${op.name}(${operands.map((o) => (o === undefined ? '_' : of(o))).join(', ')}) {${given}} result ${v.resultIndex}`);
      }
      known.set(v, number);
    }
    return number;
  };
  const outputs = graph.outputs.map(of);
  return [...[...lines].map(([text, i]) => `${i}: ${text}`), `return ${outputs.join(', ')}`].join('\n');
}

/** Whether a file of the fixtures is there. */
export const hasFixture = (path: string): boolean => existsSync(fileURLToPath(new URL(`../../../fixtures/${path}`, import.meta.url)));
