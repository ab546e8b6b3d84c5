import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { compileProgram, type ErrorBound, webgpuKernels } from '@qfuse/backend-webgpu';
import { type Evaluator, runGraph } from '@qfuse/interp';
import { importPt2 } from '@qfuse/import-pt2';
import { type AnyOp, type HostTensor, QfuseError, typeText } from '@qfuse/ir';
import { readTensors } from '../src/index.js';

/**
 * Operator samples: PyTorch's own operator tests as programs of one operator with inputs and the outputs of eager
 * torch on the CPU. `tools/fixtures/opinfo_cases.py` makes them.
 */
export interface Sample {
  readonly id: string;
  /** Overloads that the program names, e.g. `aten.add.Tensor`. */
  readonly aten: readonly string[];
  readonly program: Uint8Array;
  readonly inputs: readonly HostTensor[];
  readonly outputs: readonly HostTensor[];
}

/** What became of a sample: right, refused with an error for users, wrong numbers or types, or a defect. */
export type Outcome =
  | { readonly kind: 'right' }
  | { readonly kind: 'refused'; readonly error: QfuseError }
  | { readonly kind: 'wrong'; readonly why: string }
  | { readonly kind: 'defect'; readonly error: unknown };

/** The files of an uncompressed tar archive by name. */
function untar(archive: Uint8Array): Map<string, Uint8Array> {
  const text = (from: number, length: number): string =>
    new TextDecoder().decode(archive.subarray(from, from + length)).replace(/\0.*$/s, '');
  const files = new Map<string, Uint8Array>();
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0;) {
    const size = Number.parseInt(text(at + 124, 12), 8);
    files.set(text(at, 100), archive.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/** The samples of an archive that `opinfo_cases.py --pack` wrote. */
export function readSamples(file: URL): readonly Sample[] {
  const files = untar(gunzipSync(readFileSync(file)));
  const get = (name: string): Uint8Array => files.get(name) ?? missing(name);
  const index = JSON.parse(new TextDecoder().decode(get('index.json'))) as { readonly id: string; readonly aten: readonly string[] }[];
  return index.map(({ id, aten }) => {
    const tensors = readTensors(get(`${id}.safetensors`), id);
    const numbered = (prefix: string): HostTensor[] => {
      const out: HostTensor[] = [];
      for (let i = 0; tensors.has(`${prefix}.${i}`); i++) out.push(tensors.get(`${prefix}.${i}`)!);
      return out;
    };
    return { id, aten, program: get(`${id}.pt2`), inputs: numbered('in'), outputs: numbered('out') };
  });
}

const missing = (name: string): never => {
  throw new Error(`the archive of operator samples has no file ${name}`);
};

/** Unit roundoff: half the distance from 1 to the next number. */
const roundoff: Readonly<Record<string, number>> = { f64: 2 ** -53, f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8 };

/** Roundings of the largest number involved that a result of torch may be off: it rounds after each step, the interpreter once. */
const ROUNDINGS = 16;

const largest = (tensors: readonly HostTensor[]): number => {
  let size = 0;
  for (const t of tensors)
    if (roundoff[t.dtype] !== undefined) for (const x of t.data as Float32Array) if (Number.isFinite(x)) size = Math.max(size, Math.abs(x));
  return size;
};

/** What an implementation states that it is off by: `absolute + relative · size`. */
export type Stated = Pick<ErrorBound, 'absolute' | 'relative'>;

/**
 * Compares dtype, shape and elements. Integers and bools must be equal, and NaN and infinities where torch has them.
 * Floats may differ by {@link ROUNDINGS} roundings of the largest finite input or expected output: sums and
 * differences lose that much in torch's own steps, whatever their result. To this comes what each of the
 * implementations in use `states`, at the same size.
 */
export function compare(actual: readonly HostTensor[], { inputs, outputs }: Sample, states: readonly Stated[] = []): string | undefined {
  if (actual.length !== outputs.length) return `${actual.length} outputs, expected ${outputs.length}`;
  const scale = largest(inputs);
  for (const [k, want] of outputs.entries()) {
    const got = actual[k]!;
    if (typeText(got) !== typeText(want)) return `output ${k} is ${typeText(got)}, expected ${typeText(want)}`;
    const size = Math.max(scale, largest([want]));
    const stated = states.reduce((sum, { absolute, relative }) => sum + absolute + relative * size, 0);
    const unit = roundoff[want.dtype];
    const allowed = unit === undefined ? 0 : ROUNDINGS * unit * size + stated;
    for (let i = 0; i < want.data.length; i++) {
      const [a, b] = [got.data[i]!, want.data[i]!];
      if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
      if (allowed > 0 && Math.abs(Number(a) - Number(b)) <= allowed) continue;
      return `output ${k}, element ${i} is ${String(a)}, expected ${String(b)}, allowed difference ${allowed}`;
    }
  }
  return undefined;
}

/** Imports a sample, with the given ops or those of `@qfuse/ops`, and runs it in the interpreter. */
export const tryInInterpreter = (sample: Sample, evaluator: Evaluator, ops?: ReadonlyMap<string, AnyOp>): Outcome => {
  try {
    const { outputs } = runGraph(importPt2(sample.program, { ops }), sample.inputs, evaluator);
    return judged(compare(outputs, sample));
  } catch (error) {
    return failed(error);
  }
};

/** Imports a sample and runs it on a device, within the error bounds that the kernels in use state. */
export async function tryOnDevice(sample: Sample, device: GPUDevice): Promise<Outcome> {
  try {
    const program = await compileProgram(importPt2(sample.program), { device });
    try {
      const inUse = new Set(program.plan.dispatches.map((d) => d.kernel));
      const { outputs } = await program.run(sample.inputs);
      return judged(
        compare(
          outputs,
          sample,
          webgpuKernels.filter((k) => inUse.has(k.name)).map((k) => k.error),
        ),
      );
    } finally {
      program.dispose();
    }
  } catch (error) {
    return failed(error);
  }
}

const judged = (why: string | undefined): Outcome => (why === undefined ? { kind: 'right' } : { kind: 'wrong', why });
const failed = (error: unknown): Outcome => (error instanceof QfuseError ? { kind: 'refused', error } : { kind: 'defect', error });
