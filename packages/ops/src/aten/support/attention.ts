import { countOf, hostTensor, type HostTensor, storer } from '@qfuse/ir';

/** Host tensors of an attention; `mask` adds to the scores, a bool one adds -inf where it is false. */
export interface Attending {
  readonly query: HostTensor;
  readonly key: HostTensor;
  readonly value: HostTensor;
  readonly mask: HostTensor | undefined;
  readonly causal: boolean;
  readonly scale: number;
  readonly result: { readonly dtype: HostTensor['dtype']; readonly shape: readonly number[] };
}

/**
 * Where the matrix of each index of `batch` starts in `t`. An axis of size `d` serves one of size `n` by
 * `floor(index · d / n)`: itself when equal, always 0 when 1, and one head for each `n / d` query heads when grouped.
 */
function matrixOffsets(shape: readonly number[], batch: readonly number[]): readonly number[] {
  const lead = shape.slice(0, -2);
  const skipped = batch.length - lead.length;
  let offsets = [0];
  lead.forEach((d, i) => {
    const n = batch[skipped + i]!;
    offsets = offsets.flatMap((o) => Array.from({ length: n }, (_, index) => o * d + Math.floor((index * d) / n)));
  });
  const own = countOf(batch.slice(skipped));
  const matrix = countOf(shape.slice(-2));
  return Array.from({ length: countOf(batch) }, (_, i) => offsets[i % own]! * matrix);
}

/** `softmax(query · keyᵀ · scale + mask) · value` per batch; rows in which every score is -inf give 0. */
export function attend({ query, key, value, mask, causal, scale, result }: Attending): HostTensor {
  const out = hostTensor(result.dtype, result.shape);
  const store = storer(result.dtype);
  const batch = result.shape.slice(0, -2);
  const [rows, width] = query.shape.slice(-2) as [number, number];
  const columns = key.shape.at(-2)!;
  const wide = value.shape.at(-1)!;
  const [queries, keys, values] = [query, key, value].map((t) => matrixOffsets(t.shape, batch)) as [
    readonly number[],
    readonly number[],
    readonly number[],
  ];
  const masks = mask === undefined ? [] : matrixOffsets(mask.shape, batch);
  const maskRow = mask === undefined || mask.shape.at(-2) === 1 ? 0 : mask.shape.at(-1)!;
  const maskColumn = mask === undefined || mask.shape.at(-1) === 1 ? 0 : 1;
  const scores = new Float64Array(columns);
  queries.forEach((q, position) => {
    const [k, v] = [keys[position]!, values[position]!];
    for (let row = 0; row < rows; row++) {
      let largest = -Infinity;
      for (let c = 0; c < columns; c++) {
        let score = 0;
        for (let i = 0; i < width; i++)
          score += (query.data[q + row * width + i] as number) * scale * (key.data[k + c * width + i] as number);
        if (mask !== undefined) score += added(mask, masks[position]! + row * maskRow + c * maskColumn);
        if (causal && c > row) score -= Infinity;
        scores[c] = score;
        largest = Number.isNaN(score) ? NaN : Math.max(largest, score);
      }
      let total = 0;
      for (let c = 0; c < columns; c++) total += scores[c] = largest === -Infinity ? 0 : Math.exp(scores[c]! - largest);
      for (let i = 0; i < wide; i++) {
        let sum = 0;
        for (let c = 0; c < columns; c++) sum += scores[c]! * (value.data[v + c * wide + i] as number);
        store(out.data, (position * rows + row) * wide + i, largest === -Infinity ? 0 : sum / total);
      }
    }
  });
  return out;
}

const added = (mask: HostTensor, at: number): number =>
  mask.dtype !== 'bool' ? (mask.data[at] as number) : mask.data[at] === 0 ? -Infinity : 0;
