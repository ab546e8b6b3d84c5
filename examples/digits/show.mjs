// How the demo shows things: tables, digits, accuracies.

/** Ops before and after as two columns. */
export function sideBySide(before, after) {
  const ops = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const width = Math.max(...ops.map((op) => op.length)) + 2;
  const rows = ops.map((op) => `  ${op.padEnd(width)}${String(before[op] ?? 0).padStart(6)} → ${after[op] ?? 0}`);
  return [`  ${'op'.padEnd(width)}before → after`, ...rows].join('\n');
}

/** Rows as lines of aligned columns. */
export function tableOf(head, rows) {
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map((r) => r[i].length)));
  const line = (cells) => `  ${cells.map((c, i) => (i === 0 ? c.padEnd(widths[i]) : c.padStart(widths[i]))).join('   ')}`;
  return [head, ...rows].map(line).join('\n');
}

/** Some rows of a matrix of floats. */
export function rowsOf({ dtype, shape: [, width], data }, start, count) {
  return { dtype, shape: [count, width], data: data.slice(start * width, (start + count) * width) };
}

/** Bytes of a graph's constants, each counted once. */
export const constantBytes = (graph) => [...new Set(graph.constants.map((c) => c.constant))].reduce((n, c) => n + c.byteLength, 0);

/** Class of each row with the largest number, and how many are right. */
export function accuracyOf(logits, labels) {
  const [rows, classes] = logits.shape;
  const predicted = Array.from({ length: rows }, (_, r) => {
    let best = 0;
    for (let c = 1; c < classes; c++) if (logits.data[r * classes + c] > logits.data[r * classes + best]) best = c;
    return best;
  });
  return { predicted, share: predicted.filter((p, r) => p === Number(labels.data[r])).length / rows };
}

/** The middle of some numbers. */
export const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

const shades = ' .:-=+*#%@';

/** The first `count` digits (8 × 8 pixels) as characters side by side, with what was predicted below. */
export function drawDigits(images, predicted, labels, count) {
  const largest = images.data.reduce((a, b) => Math.max(a, b), 0);
  const lines = [];
  for (let y = 0; y < 8; y++) {
    let line = '  ';
    for (let d = 0; d < count; d++) {
      for (let x = 0; x < 8; x++) {
        const shade = shades[Math.max(0, Math.round((images.data[d * 64 + y * 8 + x] / largest) * (shades.length - 1)))];
        line += shade + shade;
      }
      line += '   ';
    }
    lines.push(line.trimEnd());
  }
  const captions = Array.from({ length: count }, (_, d) =>
    `${predicted[d]} ${predicted[d] === Number(labels.data[d]) ? '✓' : `✗ (is ${labels.data[d]})`}`.padEnd(19),
  );
  return `${lines.join('\n')}\n  ${captions.join('')}\n`;
}
