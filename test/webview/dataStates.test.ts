import { describe, expect, it } from 'vitest';
import { base, cell, focused, unused, useDataView } from './dataView';

const open = useDataView();

describe('finding', () => {
  it('goes to a number', async () => {
    const view = await open();
    await cell(view, 0).waitFor();
    await view.page.getByRole('spinbutton', { name: 'Go to example number' }).fill('43210');
    await view.page.keyboard.press('Enter');
    await cell(view, 43_210).waitFor();
    await expect.poll(() => focused(view)).toBe(43_210);
    expect(await cell(view, 43_210).getAttribute('aria-selected')).toBe('true');
  });

  it('reveals what the host asks for', async () => {
    const view = await open();
    await cell(view, 0).waitFor();
    await view.page.evaluate(() => window.hostEnd.data?.reveal({ index: 31_017 }));
    await cell(view, 31_017).waitFor();
    await expect.poll(() => cell(view, 31_017).getAttribute('aria-selected')).toBe('true');
    const box = await cell(view, 31_017).boundingBox();
    expect(box && box.y > 0 && box.y + box.height <= 700).toBe(true);
    await view.page.getByText('#31017').last().waitFor();
  });

  it('reveals what was asked for before the first page came', async () => {
    const view = await open({ ...base, delay: 300 });
    await view.page.evaluate(() => window.hostEnd.data?.reveal({ index: 20_000 }));
    await cell(view, 20_000).waitFor();
    await expect.poll(() => cell(view, 20_000).getAttribute('aria-selected')).toBe('true');
  });

  it('filters to wrong predictions, most confident first', async () => {
    const view = await open({ ...base, total: 2000 });
    await cell(view, 0).waitFor();
    await view.page.getByRole('combobox', { name: 'Show' }).click();
    await view.page.getByRole('option', { name: 'Wrong, most confident first' }).click();
    await view.page.getByText('300 wrong').waitFor();
    expect(await view.page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Show');
    const names = await view.page
      .locator('.cell:not(.waiting)')
      .evaluateAll((cells) => cells.map((node) => node.getAttribute('title') ?? ''));
    expect(names.length).toBeGreaterThan(20);
    expect(names.every((name) => name.endsWith('wrong'))).toBe(true);
    const confidences = names.map((name) => Number(/(\d+)\s%/.exec(name)?.[1]));
    expect(confidences).toEqual([...confidences].sort((a, b) => b - a));
    await view.picture('data-wrong-first');
    // A right one is not in this order: the view goes where it is.
    await view.page.evaluate(() => window.hostEnd.data?.reveal({ index: 1 }));
    await cell(view, 1).waitFor();
    await view.page.getByText('2,000 examples').waitFor();
  });

  it('keeps its place when the host says that predictions changed', async () => {
    const view = await open();
    await cell(view, 0).waitFor();
    await view.page.evaluate(() => window.hostEnd.data?.reveal({ index: 5000 }));
    await cell(view, 5000).waitFor();
    await view.forget();
    await view.page.evaluate(() => window.hostEnd.data?.refresh({}));
    await expect.poll(async () => (await view.asks('page')).length).toBeGreaterThan(0);
    await cell(view, 5000).waitFor();
    await expect.poll(() => cell(view, 5000).getAttribute('aria-selected')).toBe('true');
  });
});

describe('states', () => {
  it('offers to set up where no run uses the file', async () => {
    const view = await open(unused);
    await view.page.getByRole('button', { name: 'Set Up This Workspace' }).click();
    await expect.poll(() => view.asks('setUp')).toHaveLength(1);
    expect(await view.page.getByRole('combobox', { name: 'Show' }).count()).toBe(0);
    await cell(view, 0).waitFor();
    await view.picture('data-no-run');
  });

  it('shows examples without labels and calls no prediction wrong there', async () => {
    const view = await open({ ...base, labels: [Number.NaN], total: 50 });
    await cell(view, 0).click();
    expect(await cell(view, 0).textContent()).toMatch(/^#0 predicted Shirt\s?\d+\s%$/);
    expect(await view.page.locator('.icon').count()).toBe(0);
    await view.picture('data-no-labels');
  });

  it('says when a file is empty', async () => {
    const view = await open({ ...unused, total: 0 });
    await view.page.getByText('This file holds no examples.').waitFor();
  });

  it('says when nothing is wrong, and leads back', async () => {
    const view = await open({ ...base, predicted: base.labels, total: 300 });
    await cell(view, 0).waitFor();
    await view.page.getByRole('combobox', { name: 'Show' }).click();
    await view.page.getByRole('option', { name: 'Wrong, most confident first' }).click();
    await view.page.getByText('Every prediction agrees with its label.').waitFor();
    await view.picture('data-none-wrong');
    await view.page.getByRole('button', { name: 'Show All' }).click();
    await cell(view, 0).waitFor();
  });

  it('comes back as it was after it was hidden', async () => {
    const view = await open();
    await cell(view, 0).waitFor();
    await view.page.getByRole('combobox', { name: 'Show' }).click();
    await view.page.getByRole('option', { name: 'Wrong, most confident first' }).click();
    await view.page.getByText(/[\d,]+ wrong/).waitFor();
    await view.page.reload();
    await view.page.getByText(/[\d,]+ wrong/).waitFor();
    expect(await view.page.locator('.cell:not(.wrong):not(.waiting)').count()).toBe(0);
  });

  it('shows a failure with file, place and mend, and tries again', async () => {
    const view = await open({ ...base, failing: true });
    await view.page.getByRole('alert').getByText('The file ends before its last image.').waitFor();
    await view.page.getByText('Download it again.').waitFor();
    await view.picture('data-failed');
    await view.page.evaluate((given) => {
      window.setting = { data: given };
    }, base);
    await view.page.getByRole('button', { name: 'Try Again' }).click();
    await cell(view, 0).waitFor();
  });
});

describe('for everybody', () => {
  const settings = { grid: base, 'no-run': unused, failed: { ...base, failing: true } } as const;
  const table = (['dark', 'light', 'high-contrast'] as const).flatMap((theme) =>
    Object.entries(settings).map(([state, data]) => ({ theme, state, data })),
  );

  it.each(table)('axe-core finds nothing in $theme: $state', async ({ theme, state, data }) => {
    const view = await open(data, { theme });
    if (state === 'failed') await view.page.getByRole('alert').waitFor();
    else await cell(view, 8).click();
    await view.picture(`data-${theme}-${state}`);
    expect(await view.violations()).toEqual([]);
  });
});
