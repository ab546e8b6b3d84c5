import { describe, expect, test } from 'vitest';
import { type LayerRow, reportPage } from './report-page.js';

const layer = (name: string, snr: number): LayerRow => ({
  name,
  op: 'aten.linear',
  snr,
  cosine: 0.999,
  bytesBefore: 4096,
  bytesAfter: 1024,
});
const page = { model: 'model.pt2', recipe: 'static-int8', runs: 3, bytesBefore: 8192, bytesAfter: 2048, advice: 'exclude head' };

describe('reportPage', () => {
  test('has a bar and a row for each layer, worst first', () => {
    const text = reportPage({ ...page, layers: [layer('head', 12), layer('body', 45)] });
    expect(text.match(/<rect /g)).toHaveLength(2);
    expect(text.indexOf('>head<')).toBeLessThan(text.indexOf('>body<'));
    expect(text).toContain('class="low"');
    expect(text).toContain('<td>12.0</td><td>0.999000</td><td>4.0 KiB</td><td>1.0 KiB</td>');
    expect(text).toContain('exclude head');
  });
  test('shows names as text', () => {
    const text = reportPage({ ...page, model: '<script>', layers: [layer('a & "b"', 3)] });
    expect(text).not.toContain('<script>');
    expect(text).toContain('a &amp; &quot;b&quot;');
  });
  test('keeps ratios without end in the plot', () =>
    expect(reportPage({ ...page, layers: [layer('same', Infinity)] })).toMatch(/<rect [^>]*width="460.0"/));
  test('says when there were no data', () => {
    const text = reportPage({ ...page, runs: 0, layers: [layer('head', Number.NaN)] });
    expect(text).not.toContain('<svg');
    expect(text).toContain('Without data the errors of the layers are not known.');
  });
});
