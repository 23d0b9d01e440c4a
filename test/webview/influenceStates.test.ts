import { describe, expect, it } from 'vitest';
import { failed, show, shown, useInfluenceView } from './influenceView';
import { influenceResult } from './samples';

const open = useInfluenceView();

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

  it('comes to the top for a failure and for another query, but not for more of the same', async () => {
    const previous = influenceResult();
    const view = await open({ state: 'shown', result: previous, stale: false }, { height: 300 });
    const top = () => view.page.evaluate(() => document.documentElement.scrollTop);
    const goDown = async () => {
      await view.page.getByRole('option').last().scrollIntoViewIfNeeded();
      expect(await top()).toBeGreaterThan(100);
    };
    await goDown();
    await show(view, { state: 'running', query: previous.influence.query.id, previous });
    expect(await top()).toBeGreaterThan(100);
    await show(view, { state: 'running', query: { split: 'test', index: 1 }, previous });
    expect(await top()).toBe(0);
    await goDown();
    await show(view, { ...failed, previous });
    expect(await top()).toBe(0);
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
