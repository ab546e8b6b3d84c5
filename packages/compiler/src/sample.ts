import { type DType, dtypeInfo, evaluateDim, type Graph, type HostTensor, integerRange, isFloat, isInteger, tensorOf } from '@qfuse/ir';

/** A small deterministic generator (xorshift32) of numbers in [0, 1). */
export function randomSource(seed: number): () => number {
  let state = (seed * 2654435761) | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4294967296;
  };
}

/** A value for each symbol that the facts allow: small, and different ones for different symbols where possible. */
export function sampleBindings(graph: Graph, seed: number): Map<string, number> {
  const out = new Map<string, number>();
  graph.env.symbols().forEach((name, i) => {
    const { min, max, divisor } = graph.env.fact(name);
    const first = Math.max(divisor, Math.ceil(Math.max(min, 1) / divisor) * divisor);
    const value = first + divisor * ((seed + 2 * i + 1) % 5);
    out.set(name, value <= max ? value : first);
  });
  return out;
}

/**
 * Random elements that suit a dtype: floats around 0; integers of up to 8 bits in their whole range, as they are quantized numbers as a
 * rule; wider ones 0 and 1, which are in range as indices and as masks.
 */
export function sampleTensor(dtype: DType, shape: readonly number[], random: () => number): HostTensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const [low, high] = isInteger(dtype) && dtypeInfo(dtype).bits <= 8 ? integerRange(dtype).map(Number) : [0, 1];
  const integer = (): number => low! + Math.floor(random() * (high! - low! + 1));
  const values = Array.from({ length: count }, () => (isFloat(dtype) ? random() + random() + random() - 1.5 : integer()));
  return tensorOf(dtype, shape, values);
}

/** Random inputs for a graph. */
export function sampleInputs(graph: Graph, seed: number): HostTensor[] {
  const bindings = sampleBindings(graph, seed);
  const random = randomSource(seed + 1);
  return graph.inputs.map((v) =>
    sampleTensor(
      v.type.dtype,
      v.type.shape.map((d) => evaluateDim(d, bindings)),
      random,
    ),
  );
}
