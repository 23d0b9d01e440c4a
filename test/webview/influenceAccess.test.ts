import { describe, expect, it } from 'vitest';
import type { InfluenceSnapshot } from '../../src/protocol/viewApi';
import { failed, shown, useInfluenceView } from './influenceView';
import { influenceResult, tableRow, text } from './samples';

const open = useInfluenceView();

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
