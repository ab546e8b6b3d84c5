/** Relative size below which two columns count as orthogonal. */
const TOLERANCE = 1e-15;
/** Rounds of rotations; one-sided Jacobi converges in about ten. */
const MAX_SWEEPS = 60;

/**
 * The singular values of a matrix, in no order, by one-sided Jacobi rotations: pairs of columns are rotated until all
 * are orthogonal; their lengths then are the values. The shorter side is taken as columns.
 */
export function singularValues(at: (row: number, column: number) => number, rows: number, columns: number): readonly number[] {
  const [tall, count] = rows >= columns ? [rows, columns] : [columns, rows];
  const matrix = Array.from({ length: count }, (_, c) =>
    Float64Array.from({ length: tall }, (_unused, r) => (rows >= columns ? at(r, c) : at(c, r))),
  );
  if (matrix.some((column) => column.some((x) => !Number.isFinite(x)))) return matrix.map(() => Number.NaN);
  for (let sweep = 0, rotated = true; rotated && sweep < MAX_SWEEPS; sweep++) {
    rotated = false;
    for (let p = 0; p < count; p++) for (let q = p + 1; q < count; q++) rotated = rotate(matrix[p]!, matrix[q]!) || rotated;
  }
  return matrix.map((column) => Math.sqrt(dot(column, column)));
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

/** Rotates two columns in their plane so that they are orthogonal; false when they were. */
function rotate(a: Float64Array, b: Float64Array): boolean {
  const [aa, bb, ab] = [dot(a, a), dot(b, b), dot(a, b)];
  if (Math.abs(ab) <= TOLERANCE * Math.sqrt(aa * bb) || ab === 0) return false;
  const zeta = (bb - aa) / (2 * ab);
  const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
  const cosine = 1 / Math.sqrt(1 + tangent * tangent);
  const sine = cosine * tangent;
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]!, b[i]!];
    a[i] = cosine * x - sine * y;
    b[i] = sine * x + cosine * y;
  }
  return true;
}
