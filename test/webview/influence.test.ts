import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { InfluenceSnapshot } from '../../src/protocol/viewApi';
import { startViews, type View, type ViewOptions, type ViewServer } from './page';
import { influenceResult, tableRow, text } from './samples';

let views: ViewServer;
const opened: View[] = [];

beforeAll(async () => {
  views = await startViews();
});

afterEach(async () => {
  // A breach of the page's security policy or an exception is a failure of whatever test it comes in.
  const complaints = opened.flatMap((view) => view.complaints);
  await Promise.all(opened.splice(0).map(({ page }) => page.close()));
  expect(complaints).toEqual([]);
});

afterAll(() => views.close());

async function open(snapshot: InfluenceSnapshot, options: Partial<ViewOptions> = {}): Promise<View> {
  const view = await views.open({ view: 'influence', setting: { snapshot }, ...options });
  opened.push(view);
  return view;
}

function shown(options: Parameters<typeof influenceResult>[0] = {}, stale = false): InfluenceSnapshot {
  return { state: 'shown', result: influenceResult(options), stale };
}

async function show(view: View, snapshot: InfluenceSnapshot): Promise<void> {
  await view.page.evaluate((given) => window.hostEnd.influence?.show(given), snapshot);
}

const failed: InfluenceSnapshot = {
  state: 'failed',
  error: {
    code: 'unsupported-op',
    message: 'The operator Softplus has no gradient rule, so the model cannot be differentiated.',
    details: {
      file: '/home/mira/projects/fashion-mnist-classifier/out/2026-11-23-baseline/model.onnx',
      place: 'node /features/3/Softplus',
      mend: 'Export the model with a supported activation, or add a rule for Softplus.',
    },
  },
  action: { label: 'Show Log', kind: 'show-log' },
};

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

describe('asking', () => {
  it('opens an example by click', async () => {
    const { page, asks } = await open(shown());
    await page.getByRole('listbox', { name: 'Pushed away from Shirt' }).getByRole('option').nth(2).click();
    await expect.poll(() => asks()).toEqual([{ method: 'open', request: { example: { split: 'train', index: 819 } } }]);
  });

  it('opens the query by its name', async () => {
    const { page, asks } = await open(shown());
    await page.getByRole('button', { name: 'test #127' }).click();
    await expect.poll(() => asks()).toEqual([{ method: 'open', request: { example: { split: 'test', index: 127 } } }]);
  });

  it('asks for another method and measurement, by keyboard', async () => {
    const { page, asks } = await open(shown());
    const method = page.getByRole('combobox', { name: 'Method' });
    await method.waitFor();
    await method.focus();
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => asks('choose')).toEqual([{ method: 'choose', request: { method: 'influence-functions' } }]);
    await page.getByRole('combobox', { name: 'Measurement' }).click();
    await page.getByRole('option', { name: 'One logit' }).click();
    await expect
      .poll(() => asks('choose'))
      .toEqual([
        { method: 'choose', request: { method: 'influence-functions' } },
        { method: 'choose', request: { measurement: 'logit' } },
      ]);
  });

  it('narrows to a class, adds another one, and lets go of all', async () => {
    const view = await open(shown());
    const { page, asks, forget } = view;
    await page.getByText('By class').click();
    await page.getByRole('button', { name: /^Pullover/ }).click();
    await expect.poll(() => asks()).toEqual([{ method: 'choose', request: { labels: [2] } }]);
    await forget();
    await show(view, shown({ labels: [2] }));
    expect(await page.getByRole('button', { name: /^Pullover/ }).getAttribute('aria-pressed')).toBe('true');
    await page.getByRole('button', { name: /^Shirt/ }).click();
    await expect.poll(() => asks()).toEqual([{ method: 'choose', request: { labels: [2, 6] } }]);
    await forget();
    await page.getByRole('button', { name: /^Pullover/ }).click();
    await expect.poll(() => asks()).toEqual([{ method: 'choose', request: { labels: [] } }]);
    await forget();
    await page.getByRole('button', { name: 'All classes' }).click();
    await expect.poll(() => asks()).toEqual([{ method: 'choose', request: { labels: [] } }]);
    await view.picture('influence-filtered');
  });

  it('asks for more examples', async () => {
    const { page, asks } = await open(shown());
    await page.getByRole('button', { name: 'Show more' }).click();
    await expect.poll(() => asks()).toEqual([{ method: 'choose', request: { top: 20 } }]);
  });
});

describe('the keyboard in a list', () => {
  it('moves one tab stop and opens with Enter', async () => {
    const { page, asks } = await open(shown());
    const options = page.getByRole('listbox', { name: 'Pushed towards Shirt' }).getByRole('option');
    await options.first().waitFor();
    expect(await page.locator('.list.towards [role=option][tabindex="0"]').count()).toBe(1);
    await options.first().focus();
    const focused = () => page.evaluate(() => document.activeElement?.querySelector('.index')?.textContent);
    const after = async (key: string) => {
      await page.keyboard.press(key);
      return focused();
    };
    expect(await after('ArrowDown')).toBe('#418');
    expect(await after('ArrowDown')).toBe('#819');
    expect(await after('ArrowUp')).toBe('#418');
    expect(await after('End')).toBe('#3626');
    expect(await after('ArrowDown')).toBe('#3626');
    expect(await after('PageUp')).toBe('#418');
    expect(await after('Home')).toBe('#17');
    expect(await after('ArrowUp')).toBe('#17');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await expect.poll(() => asks()).toEqual([{ method: 'open', request: { example: { split: 'train', index: 418 } } }]);
    expect(await options.nth(1).getAttribute('aria-selected')).toBe('true');
    expect(await page.locator('.list.towards [role=option][tabindex="0"]').count()).toBe(1);
    // The next stop after the list is the other list.
    await page.keyboard.press('Tab');
    expect(
      await page.evaluate(() => document.activeElement?.closest('[role=listbox]')?.getAttribute('aria-label')),
    ).toBe('Pushed away from Shirt');
  });

  it('keeps the focus where it was when a new result comes', async () => {
    const view = await open(shown());
    await view.page.getByRole('option').nth(3).focus();
    await show(view, shown({ influence: { hash: 'other', seconds: 1 } }));
    expect(await view.page.evaluate(() => document.activeElement?.getAttribute('data-key'))).toBe(
      'towards:train #1220',
    );
  });
});

describe('states', () => {
  it('says how to begin where no run is set up', async () => {
    const { page, asks, picture } = await open({ state: 'empty', reason: 'no-run' });
    await page.getByRole('button', { name: 'Set Up This Workspace' }).click();
    await expect.poll(() => asks()).toEqual([{ method: 'act', request: { kind: 'set-up' } }]);
    await picture('influence-empty-no-run');
  });

  it('says how to begin where no prediction is chosen', async () => {
    const { page, picture } = await open({ state: 'empty', reason: 'no-query' });
    await page.getByText('Attribute This Prediction').waitFor();
    await picture('influence-empty-no-query');
  });

  it('shows progress that moves without taking the focus from Cancel', async () => {
    const query = { split: 'test', index: 127 };
    const view = await open({ state: 'running', query });
    const { page, asks, picture } = view;
    const bar = page.getByRole('progressbar', { name: 'Attribution' });
    await bar.waitFor();
    expect(await bar.getAttribute('aria-valuenow')).toBeNull();
    await page.getByRole('button', { name: 'Cancel' }).focus();
    for (const done of [41, 42]) {
      const progress = {
        phase: 'curvature',
        message: 'segment 2 of 3',
        done,
        total: 100,
        remainingSeconds: 110,
      } as const;
      await show(view, { state: 'running', query, progress });
      await page.getByText(`${done} %, 1:50 left`).waitFor();
    }
    expect(await bar.getAttribute('aria-valuetext')).toBe('Measuring curvature: segment 2 of 3, 42\u00a0%, 1:50 left');
    const share = () =>
      bar.evaluate((node) => (node.firstElementChild?.getBoundingClientRect().width ?? 0) / node.clientWidth);
    await expect.poll(share).toBeCloseTo(0.42, 2);
    await picture('influence-running');
    await page.keyboard.press('Enter');
    await expect.poll(() => asks()).toEqual([{ method: 'cancel', request: {} }]);
  });

  it('keeps the previous result in sight, dimmed and untouched by progress', async () => {
    const previous = influenceResult();
    const view = await open({ state: 'shown', result: previous, stale: false });
    const { page, picture } = view;
    await page.getByRole('option').nth(1).focus();
    const before = await page.locator('.lists').elementHandle();
    const color = () =>
      page
        .locator('.group')
        .first()
        .evaluate((node) => getComputedStyle(node).color);
    const plain = await color();
    const progress = { phase: 'scoring', message: '', done: 1, total: 4 } as const;
    await show(view, { state: 'running', query: { split: 'test', index: 128 }, progress, previous });
    expect(await before?.evaluate((node) => node.isConnected)).toBe(true);
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-key'))).toBe('towards:train #418');
    expect(await color()).not.toBe(plain);
    await picture('influence-running-previous');
  });

  it('shows a failure with file, place, mend and one action', async () => {
    const { page, asks, picture } = await open(failed);
    const alert = page.getByRole('alert');
    await alert.waitFor();
    const words = (await alert.textContent())?.replaceAll('\u200b', '');
    expect(words).toContain('The operator Softplus has no gradient rule');
    expect(words).toContain('/home/mira/projects/fashion-mnist-classifier/out/2026-11-23-baseline/model.onnx');
    expect(words).toContain('node /features/3/Softplus');
    expect(words).toContain('Export the model with a supported activation');
    await page.getByRole('button', { name: 'Show Log' }).click();
    await expect.poll(() => asks()).toEqual([{ method: 'act', request: { kind: 'show-log' } }]);
    await picture('influence-failed');
  });

  it('takes a cancelled run for no failure', async () => {
    const { page, asks } = await open({
      state: 'failed',
      error: { code: 'cancelled', message: 'Cancelled. Finished stages are kept.', details: {} },
      action: { label: 'Try Again', kind: 'retry' },
      previous: influenceResult(),
    });
    await page.getByRole('button', { name: 'Try Again' }).click();
    await expect.poll(() => asks()).toEqual([{ method: 'act', request: { kind: 'retry' } }]);
    expect(await page.getByRole('alert').count()).toBe(0);
    expect(await page.getByRole('listbox').count()).toBe(2);
  });

  it('says when a result is out of date', async () => {
    const { page, asks, picture } = await open(shown({}, true));
    await page.getByRole('button', { name: 'Recompute' }).click();
    await expect.poll(() => asks()).toEqual([{ method: 'act', request: { kind: 'retry' } }]);
    await picture('influence-stale');
  });

  it('shows every snapshot after another one whole', async () => {
    const view = await open(failed);
    await show(view, shown());
    expect(await view.page.getByRole('alert').count()).toBe(0);
    await show(view, { state: 'empty', reason: 'no-query' });
    expect(await view.page.getByRole('listbox').count()).toBe(0);
    expect(await view.page.getByText('No prediction chosen yet').count()).toBe(1);
  });
});

describe('widths', () => {
  const long = Array.from({ length: 120 }, (_, label) => `${label} Donaudampfschifffahrtsgesellschaftskapitänsmütze`);

  it.each([
    ['images', {}],
    ['long labels and many classes', { classes: long }],
    ['table rows', { preview: (index: number) => tableRow((index % 60) + 1), classes: ['malignant', 'benign'] }],
    ['long words', { preview: () => text('A'.repeat(600)) }],
  ])('has nothing to scroll sideways at 260 pixels: %s', async (name, options) => {
    const view = await open(shown(options, true), { width: 260 });
    await view.page.getByText('By class').click();
    await view.picture(`influence-260-${name.replaceAll(' ', '-')}`);
    const overflow = await view.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBe(0);
    const clipped = await view.page.evaluate(() =>
      [...document.querySelectorAll('main *')]
        .filter(
          (node) => !node.closest('.spoken, svg, .what > *') && node.getBoundingClientRect().right > innerWidth + 0.5,
        )
        .map((node) => node.className),
    );
    expect(clipped).toEqual([]);
  });

  it('shows the strongest classes first and all on demand', async () => {
    const { page } = await open(shown({ classes: long }));
    await page.getByText('By class').click();
    expect(await page.locator('.class-toggle').count()).toBe(10);
    await page.getByRole('button', { name: 'Show all 120 classes' }).click();
    expect(await page.locator('.class-toggle').count()).toBe(120);
    expect(await page.locator('.class-toggle').first().textContent()).toContain('6 Donau');
  });

  it('puts the lists side by side where there is room', async () => {
    const wide = await open(shown(), { width: 900 });
    await wide.page.getByRole('listbox').first().waitFor();
    const tops = await wide.page
      .locator('.list')
      .evaluateAll((lists) => lists.map((list) => list.getBoundingClientRect().top));
    expect(tops[0]).toBe(tops[1]);
    await wide.picture('influence-shown-dark-900');
    await wide.page.setViewportSize({ width: 400, height: 900 });
    const narrow = await wide.page
      .locator('.list')
      .evaluateAll((lists) => lists.map((list) => list.getBoundingClientRect().top));
    expect(narrow[1]).toBeGreaterThan(narrow[0] ?? 0);
  });
});

describe('for everybody', () => {
  const query = { split: 'test', index: 127 };
  const progress = {
    phase: 'eigenvalues',
    message: 'segment 1 of 3',
    done: 3,
    total: 10,
    remainingSeconds: 75,
  } as const;
  const states: readonly [string, InfluenceSnapshot][] = [
    ['shown', shown({ labels: [2] }, true)],
    ['empty-no-run', { state: 'empty', reason: 'no-run' }],
    ['empty-no-query', { state: 'empty', reason: 'no-query' }],
    ['running', { state: 'running', query, progress, previous: influenceResult() }],
    ['failed', { ...failed, previous: influenceResult({ preview: (index) => tableRow((index % 60) + 1) }) }],
  ];
  const table = (['dark', 'light', 'high-contrast'] as const).flatMap((theme) =>
    states.map(([state, snapshot]) => ({ theme, state, snapshot })),
  );

  it.each(table)('axe-core finds nothing in $theme: $state', async ({ theme, state, snapshot }) => {
    const view = await open(snapshot, { theme, height: 1300 });
    await view.page.locator('h2, .status').first().waitFor();
    await view.picture(`influence-${theme}-${state}`);
    expect(await view.violations()).toEqual([]);
  });

  it('stands still for who wants that', async () => {
    const { page } = await open({ state: 'running', query }, { reducedMotion: true });
    await page.getByRole('progressbar', { name: 'Attribution' }).waitFor();
    const moving = await page.evaluate(() => document.getAnimations().length);
    expect(moving).toBe(0);
    expect(await page.locator('vscode-progress-ring').isVisible()).toBe(false);
  });
});

describe('the page', () => {
  it("shows the toolkit's buttons styled", async () => {
    const { page } = await open({ state: 'empty', reason: 'no-run' });
    const host = page.locator('vscode-button');
    await host.waitFor();
    const look = await host.evaluate((node) => {
      const control = node.shadowRoot?.querySelector('button');
      return {
        background: getComputedStyle(node).backgroundColor,
        color: getComputedStyle(node).color,
        padding: control ? getComputedStyle(control).padding : '',
      };
    });
    expect(look).toEqual({ background: 'rgb(0, 120, 212)', color: 'rgb(255, 255, 255)', padding: '4px 11px' });
  });
});
