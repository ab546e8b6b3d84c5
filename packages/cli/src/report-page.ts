import { bytesText } from './print.js';

/** How one quantized layer differs from the float model. */
export interface LayerRow {
  readonly name: string;
  readonly op: string;
  /** Signal-to-noise ratio in dB; Infinity where nothing differs. */
  readonly snr: number;
  readonly cosine: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** What the page shows. */
export interface ReportPage {
  readonly model: string;
  readonly recipe: string;
  /** Runs that the errors were measured on; 0 for none. */
  readonly runs: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Worst first. */
  readonly layers: readonly LayerRow[];
  /** What to do about the worst layer; empty when nothing. */
  readonly advice: string;
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text: string): string => text.replaceAll(/[&<>"]/g, (c) => escapes[c]!);

/** Ratios above this look alike: the error is below that of 16-bit floats. */
const HIGHEST_DB = 80;
const BAR_HEIGHT = 18;
const LABEL_WIDTH = 260;
const PLOT_WIDTH = 460;

/** Bars of the signal-to-noise ratios, worst first. */
function plot(layers: readonly LayerRow[]): string {
  const height = layers.length * BAR_HEIGHT;
  const x = (snr: number): number => (Math.max(0, Math.min(HIGHEST_DB, snr)) / HIGHEST_DB) * PLOT_WIDTH;
  const lines = [0, 20, 40, 60, 80].map(
    (db) =>
      `<line x1="${LABEL_WIDTH + x(db)}" y1="0" x2="${LABEL_WIDTH + x(db)}" y2="${height}" class="grid"/><text x="${LABEL_WIDTH + x(db)}" y="${height + 14}" class="tick">${db} dB</text>`,
  );
  const bars = layers.map((l, i) => {
    const y = i * BAR_HEIGHT;
    const kind = l.snr < 20 ? 'low' : l.snr < 30 ? 'middle' : 'high';
    return `<text x="${LABEL_WIDTH - 6}" y="${y + 13}" class="label">${escape(l.name)}</text><rect x="${LABEL_WIDTH}" y="${y + 3}" width="${x(l.snr).toFixed(1)}" height="${BAR_HEIGHT - 6}" class="${kind}"/>`;
  });
  return `<svg viewBox="0 0 ${LABEL_WIDTH + PLOT_WIDTH + 40} ${height + 20}" role="img" aria-label="signal-to-noise ratio of each layer">${lines.join('')}${bars.join('')}</svg>`;
}

const number = (value: number, digits: number): string => (Number.isFinite(value) ? value.toFixed(digits) : '∞');

/** One HTML page without anything from elsewhere: sizes, a plot of the error of each layer, a table. */
export function reportPage(page: ReportPage): string {
  const rows = page.layers.map(
    (l) =>
      `<tr><td>${escape(l.name)}</td><td>${escape(l.op)}</td><td>${page.runs === 0 ? '–' : number(l.snr, 1)}</td><td>${page.runs === 0 ? '–' : number(l.cosine, 6)}</td><td>${bytesText(l.bytesBefore)}</td><td>${bytesText(l.bytesAfter)}</td></tr>`,
  );
  const title = `${page.model}, ${page.recipe}`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${escape(title)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; } td, th { padding: 0.2rem 0.8rem; border-bottom: 1px solid #ddd; text-align: right; } td:first-child, td:nth-child(2), th:first-child, th:nth-child(2) { text-align: left; }
svg { width: 100%; } .grid { stroke: #ddd; } .tick { font-size: 11px; fill: #666; text-anchor: middle; } .label { font-size: 11px; text-anchor: end; }
.low { fill: #c0392b; } .middle { fill: #d68910; } .high { fill: #2874a6; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818; } td, th { border-color: #444; } .grid { stroke: #444; } .label { fill: #ddd; } }
</style>
<h1>${escape(page.model)}</h1>
<p>Recipe ${escape(page.recipe)}. Weights ${bytesText(page.bytesBefore)} before, ${bytesText(page.bytesAfter)} after.</p>
${page.advice === '' ? '' : `<p>${escape(page.advice)}</p>\n`}${page.runs === 0 ? '<p>Without data the errors of the layers are not known.</p>' : `<p>Signal-to-noise ratio of each layer against the float model, on ${page.runs} ${page.runs === 1 ? 'run' : 'runs'}; worst first.</p>\n${plot(page.layers)}`}
<table>
<tr><th>layer</th><th>op</th><th>SNR (dB)</th><th>cosine</th><th>before</th><th>after</th></tr>
${rows.join('\n')}
</table>
</html>
`;
}
