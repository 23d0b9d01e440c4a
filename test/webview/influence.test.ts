import { describe, expect, it } from 'vitest';
import { shown, useInfluenceView } from './influenceView';
import { influenceResult, tableRow, text } from './samples';

const open = useInfluenceView();

describe('a shown result', () => {
  it('shows the query with its label, its prediction and a verdict in words', async () => {
    const { page, picture } = await open(shown());
    const query = page.getByRole('region', { name: 'Query' });
    await query.waitFor();
    expect(await query.textContent()).toMatch(/test #127.*Predicted\s*Shirt 91\s%\s*Wrong\s*Label\s*Pullover 6\s%/);
    const canvas = query.getByRole('img', { name: 'Image of test #127' });
    expect(await canvas.evaluate((node: HTMLCanvasElement) => [node.width, node.height])).toEqual([28, 28]);
    expect(await canvas.evaluate((node) => getComputedStyle(node).imageRendering)).toBe('pixelated');
    const expected = influenceResult().influence.query.preview;
    const drawn = await canvas.evaluate((node: HTMLCanvasElement) =>
      Array.from(node.getContext('2d')?.getImageData(0, 0, 28, 28).data ?? []).filter((_, index) => index % 4 === 0),
    );
    expect(drawn).toEqual(expected.kind === 'image' && [...expected.pixels]);
    await picture('influence-shown-dark-320');
  });

  it('says in one line what the number means, and which labels give the push', async () => {
    const { page } = await open(shown());
    await page.getByText('margin of Shirt over all other classes, in logits').waitFor();
    await page.getByText('486 examples labelled Shirt give 61 % of the push towards Shirt.').waitFor();
    await page.getByText('482 examples labelled Pullover give 60 % of the push away from Shirt.').waitFor();
  });

  it('shows both lists with index, label and signed score', async () => {
    const { page } = await open(shown());
    const towards = page.getByRole('listbox', { name: 'Pushed towards Shirt' });
    const away = page.getByRole('listbox', { name: 'Pushed away from Shirt' });
    await towards.waitFor();
    expect(await towards.getByRole('option').count()).toBe(10);
    expect(await away.getByRole('option').count()).toBe(10);
    expect(await towards.getByRole('option').first().textContent()).toMatch(/#17\s+Shirt\s*\+0\.0842/);
    expect(await away.getByRole('option').first().textContent()).toMatch(/#17\s+Pullover\s*\u22120\.0589/);
  });

  it('draws bars as long as the scores, to the right of zero and to the left of it', async () => {
    const { page } = await open(shown(), { width: 900 });
    await page.getByRole('listbox').first().waitFor();
    const bars = await page.evaluate(() =>
      [...document.querySelectorAll('.list .row')].map((row) => {
        const bar = row.querySelector('.signed-bar .bar')?.getBoundingClientRect();
        const zero = row.querySelector('.signed-bar .zero')?.getBoundingClientRect();
        return { width: bar?.width ?? 0, left: bar?.left ?? 0, right: bar?.right ?? 0, zero: zero?.left ?? 0 };
      }),
    );
    const { influence } = influenceResult();
    const scores = [...influence.towards, ...influence.away].map(({ score }) => score);
    expect(bars.length).toBe(scores.length);
    const unit = (bars[0]?.width ?? 0) / (scores[0] ?? 1);
    expect(bars[0]?.width).toBeGreaterThan(100);
    for (const [index, score] of scores.entries()) {
      const bar = bars[index];
      expect(bar?.width).toBeCloseTo(Math.abs(score) * unit, 0);
      if (score > 0) expect(bar?.left).toBeCloseTo(bar?.zero ?? -1, 0);
      else expect(bar?.right).toBeCloseTo(bar?.zero ?? -1, 0);
    }
  });

  it('draws each segment with the right sign, and says in words what sums to the score', async () => {
    const { page } = await open(shown());
    await page.getByRole('listbox').first().waitFor();
    const rows = await page.evaluate(() =>
      [...document.querySelectorAll('.list .row')].map((row) => ({
        score: row.querySelector('.score')?.textContent ?? '',
        zero: Number(row.querySelector('.segment-chart .zero')?.getAttribute('y1')),
        words: row.querySelector('.segments .spoken')?.textContent ?? '',
        bars: [...row.querySelectorAll('.segment-chart .bar')].map((bar) => ({
          height: Number(bar.getAttribute('height')) * (bar.classList.contains('away') ? -1 : 1),
          top: Number(bar.getAttribute('y')),
        })),
      })),
    );
    const number = (written: string) => Number(written.replace('\u2212', '-'));
    expect(rows.length).toBe(20);
    for (const { score, words, bars, zero } of rows) {
      const parts = [...words.matchAll(/[+\u2212]\d+\.\d+/g)].map(([part]) => number(part));
      expect(words).toContain('steps 527\u20131,053');
      expect(parts.length).toBe(3);
      expect(parts.reduce((sum, part) => sum + part, 0)).toBeCloseTo(number(score), 3);
      const unit = (bars[1]?.height ?? 0) / (parts[1] ?? 1);
      for (const [index, part] of parts.entries()) {
        expect(bars[index]?.height).toBeCloseTo(part * unit, 0);
        expect(bars[index]?.top).toBeCloseTo(part > 0 ? zero - part * unit : zero, 0);
      }
    }
  });

  it('marks a prediction that is right as right', async () => {
    const result = influenceResult();
    const query = { ...result.influence.query, label: 6 };
    const { page } = await open(shown({ influence: { query } }));
    await page.getByText('Right', { exact: true }).waitFor();
    expect(await page.getByText('Wrong', { exact: true }).count()).toBe(0);
  });

  it('says neither right nor wrong where there is no label', async () => {
    const { page } = await open(
      shown({ influence: { query: { ...influenceResult().influence.query, label: Number.NaN } } }),
    );
    await page.getByText('none', { exact: true }).waitFor();
    expect(await page.locator('.verdict').count()).toBe(0);
  });

  it('shows a regression', async () => {
    const { influence } = influenceResult();
    const prediction = { predicted: 21.4567, confidence: 1, loss: 3.25, probabilities: [] };
    const { page, picture } = await open(
      shown({
        preview: (index) => tableRow((index % 60) + 1),
        influence: {
          query: { ...influence.query, prediction, label: 23.9 },
          byClass: [],
          measurement: { kind: 'logit', target: 0 },
        },
      }),
    );
    await page.getByRole('listbox', { name: 'Pushed the output up' }).waitFor();
    expect(await page.getByRole('region', { name: 'Query' }).textContent()).toMatch(
      /Predicted21\.46Target23\.90Loss3\.25/,
    );
    expect(await page.getByText('By class').count()).toBe(0);
    await picture('influence-regression');
  });

  it('speaks of the loss in its own words', async () => {
    const { page } = await open(shown({ influence: { measurement: { kind: 'loss', target: 2 } } }));
    await page.getByRole('listbox', { name: 'Lowered the loss' }).waitFor();
    await page.getByRole('listbox', { name: 'Raised the loss' }).waitFor();
    await page.getByText('lowered (+) or raised (\u2212) the loss for Pullover').waitFor();
  });

  it('shows table rows as columns', async () => {
    const { page, picture } = await open(
      shown({ preview: (index) => tableRow((index % 60) + 1), classes: ['malignant', 'benign'] }),
    );
    const columns = page.getByRole('region', { name: 'Columns of test #127' });
    await columns.waitFor();
    expect(await columns.getByRole('row').count()).toBe(31);
    expect(await columns.getByRole('row').first().textContent()).toMatch(/mean radius\s*\d/);
    await picture('influence-row');
  });

  it('shows texts', async () => {
    const words = 'The seat arrived with a torn seam, and nobody answered my letters for three weeks. ';
    const { page, picture } = await open(shown({ preview: (index) => text(`${index}. ${words.repeat(4)}`) }));
    await page.getByRole('region', { name: 'Text of test #127' }).waitFor();
    await picture('influence-text');
  });
});
