import { describe, expect, it } from 'vitest';
import { show, shown, useInfluenceView } from './influenceView';

const open = useInfluenceView();

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

  it('shows how the result was asked again when another choice was cancelled', async () => {
    const snapshot = shown();
    const view = await open(snapshot);
    const { page, asks } = view;
    const method = page.getByRole('combobox', { name: 'Method' });
    await method.focus();
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => asks('choose')).toHaveLength(1);
    if (snapshot.state !== 'shown') throw new Error('There is no result.');
    const { result } = snapshot;
    await show(view, { state: 'running', query: result.influence.query.id, previous: result });
    expect(await method.evaluate((node) => node.getAttribute('current-value'))).toBe('influence-functions');
    await show(view, snapshot);
    await expect.poll(() => method.evaluate((node) => node.getAttribute('current-value'))).toBe('source');
    expect(await page.evaluate(() => document.activeElement?.getAttribute('data-key'))).toBe('method');
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
    await show(view, shown());
    expect(await page.getByRole('button', { name: 'All classes' }).count()).toBe(0);
    expect(await page.getByRole('button', { pressed: false }).count()).toBeGreaterThan(0);
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
