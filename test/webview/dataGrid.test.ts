import { describe, expect, it } from 'vitest';
import { base, cell, columnsOf, focused, press, unused, useDataView } from './dataView';
import { classes, image, tableRow, text } from './samples';

const open = useDataView();

describe('the grid', () => {
  it('shows images with index, label, prediction and verdict', async () => {
    const view = await open();
    await cell(view, 0).waitFor();
    const right = base.labels[1] ?? 0;
    expect(await cell(view, 1).getAttribute('title')).toMatch(
      new RegExp(`^#1, labelled ${classes[right]}, predicted ${classes[right]} \\d+\\s%, right$`),
    );
    expect(await cell(view, 7).getAttribute('title')).toMatch(/^#7, labelled .*, predicted .*, wrong$/);
    const seventh = classes[base.labels[7] ?? 0];
    const taken = classes[base.predicted?.[7] ?? 0];
    const spoken = new RegExp(`^#7 labelled ${seventh} wrongly predicted ${taken}\\s?\\d+\\s%$`);
    expect(await cell(view, 7).textContent()).toMatch(spoken);
    expect(await cell(view, 7).locator('.icon.wrong').count()).toBe(1);
    expect(await cell(view, 1).locator('.icon.wrong').count()).toBe(0);
    const expected = image(7);
    const drawn = await cell(view, 7)
      .locator('canvas')
      .evaluate((node: HTMLCanvasElement) =>
        Array.from(node.getContext('2d')?.getImageData(0, 0, 28, 28).data ?? []).filter((_, index) => index % 4 === 0),
      );
    expect(drawn).toEqual(expected.kind === 'image' && [...expected.pixels]);
    await view.page.getByText('60,000 examples').waitFor();
    await cell(view, 7).click();
    await view.picture('data-dark');
  });

  it('keeps rows of a table and texts within their cells, and shows the current one whole', async () => {
    const previews = [
      tableRow(1),
      tableRow(2),
      text('Whoever finds this is kindly asked to bring it back. '.repeat(8)),
    ];
    const view = await open({ ...unused, total: previews.length, labels: [0, 1, 0], images: previews });
    for (const index of previews.keys()) {
      await cell(view, index).click();
      const outer = (await cell(view, index).boundingBox())!;
      const inner = (await cell(view, index).locator('.excerpt').boundingBox())!;
      expect(inner.x).toBeGreaterThanOrEqual(outer.x);
      expect(inner.x + inner.width).toBeLessThanOrEqual(outer.x + outer.width);
      expect(inner.y).toBeGreaterThanOrEqual(outer.y);
      const caption = (await cell(view, index).locator('.caption').boundingBox())!;
      expect(inner.y + inner.height).toBeLessThanOrEqual(caption.y + 1);
      const shown = await cell(view, index).locator('.excerpt').textContent();
      expect(await view.page.locator('.current .excerpt').textContent()).toBe(shown);
    }
    await view.picture('data-rows-dark');
  });

  it('tells VS Code which example a context menu is for', async () => {
    const view = await open();
    await cell(view, 7).waitFor();
    expect(JSON.parse((await cell(view, 7).getAttribute('data-vscode-context')) ?? '')).toEqual({
      webviewSection: 'example',
      index: 7,
      preventDefaultContextMenuItems: true,
    });
    const target = view.page.evaluate(
      () =>
        new Promise((resolve) =>
          addEventListener('contextmenu', (event) =>
            resolve((event.target as Element).closest('[data-index]')?.getAttribute('data-index')),
          ),
        ),
    );
    await cell(view, 7).focus();
    await view.page.keyboard.press('Shift+F10');
    expect(await target).toBe('7');
  });

  it('offers no attribution where there is none', async () => {
    const view = await open(unused);
    await cell(view, 3).click();
    expect(JSON.parse((await cell(view, 3).getAttribute('data-vscode-context')) ?? '')).toEqual({
      preventDefaultContextMenuItems: true,
    });
    await view.page.keyboard.press('Enter');
    expect(await view.page.getByRole('button', { name: 'Attribute This Prediction' }).count()).toBe(0);
    expect(await view.asks('attribute')).toEqual([]);
  });

  it('attributes by Enter, by double click and by the button', async () => {
    const view = await open();
    await cell(view, 9).click();
    await view.page.keyboard.press('Enter');
    await cell(view, 12).dblclick();
    await view.page.getByRole('button', { name: 'Attribute This Prediction' }).click();
    const asked = [9, 12, 12].map((index) => ({ method: 'attribute', request: { index } }));
    await expect.poll(() => view.asks('attribute')).toEqual(asked);
  });
});

describe('the keyboard', () => {
  it('moves through cells and rows', async () => {
    const view = await open();
    await cell(view, 0).focus();
    const columns = await columnsOf(view);
    expect(columns).toBeGreaterThan(4);
    expect(await press(view, 'ArrowRight')).toBe(1);
    expect(await press(view, 'ArrowDown')).toBe(1 + columns);
    expect(await press(view, 'ArrowLeft')).toBe(columns);
    expect(await press(view, 'End')).toBe(2 * columns - 1);
    expect(await press(view, 'Home')).toBe(columns);
    expect(await press(view, 'ArrowUp')).toBe(0);
    expect(await press(view, 'ArrowUp')).toBe(0);
    expect(await press(view, 'PageDown')).toBeGreaterThan(columns);
    expect(await view.page.locator('[role=gridcell][tabindex="0"]').count()).toBe(1);
  });

  it('reaches the last of 60,000 and back', async () => {
    const view = await open();
    await cell(view, 0).focus();
    await view.page.keyboard.press('Control+End');
    await cell(view, 59_999).waitFor();
    await expect.poll(() => focused(view)).toBe(59_999);
    expect(await cell(view, 59_999).isVisible()).toBe(true);
    await view.page.keyboard.press('Control+Home');
    await expect.poll(() => focused(view)).toBe(0);
  });

  it('keeps the focus on an example that is scrolled out of sight', async () => {
    const view = await open();
    await cell(view, 5).focus();
    await view.page.locator('.scroller').evaluate((node) => node.scrollTo(0, 100_000));
    await view.page.waitForTimeout(200);
    expect(await focused(view)).toBe(5);
    await view.page.keyboard.press('ArrowRight');
    expect(await focused(view)).toBe(6);
    expect(await view.page.locator('.scroller').evaluate((node) => node.scrollTop)).toBeLessThan(200);
  });
});

describe('sixty thousand', () => {
  it('keeps few nodes in the page and asks for few pages, wherever one scrolls', async () => {
    const view = await open();
    await cell(view, 0).waitFor();
    const height = await view.page.getByRole('grid').evaluate((node) => node.clientHeight);
    const columns = await columnsOf(view);
    expect(height).toBeGreaterThan((60_000 / columns) * 80);
    await view.forget();
    const nodes: number[] = [];
    for (let step = 1; step <= 60; step++) {
      await view.page
        .locator('.scroller')
        .evaluate((node, part) => node.scrollTo(0, part * node.scrollHeight), step / 61);
      nodes.push(await view.page.locator('[role=gridcell]').count());
    }
    await view.page
      .locator('[role=gridcell]:not(.waiting)')
      .nth(columns * 3)
      .waitFor();
    expect(Math.max(...nodes)).toBeLessThan(200);
    expect((await view.asks('page')).length).toBeLessThan(30);
    expect(await view.page.locator('[role=row]').count()).toBeLessThan(20);
  });

  it('draws a frame of scrolling in less than 16 ms on the median', async () => {
    const view = await open();
    await cell(view, 0).waitFor();
    const frames = await view.page.evaluate(async () => {
      const scroller = document.querySelector('.scroller') as HTMLElement;
      const took: number[] = [];
      for (let step = 0; step < 60; step++) {
        const start = performance.now();
        scroller.scrollTop += 240;
        scroller.dispatchEvent(new Event('scroll'));
        scroller.getBoundingClientRect();
        took.push(performance.now() - start);
        await new Promise(requestAnimationFrame);
      }
      return took.sort((a, b) => a - b);
    });
    expect(frames[30]).toBeLessThan(16);
  });

  it('shows placeholders until a page comes', async () => {
    const view = await open({ ...base, delay: 400 });
    await view.page.getByText('Reading').waitFor();
    await cell(view, 0).waitFor();
    await view.page.locator('.scroller').evaluate((node) => node.scrollTo(0, 50_000));
    await view.page.locator('.cell.waiting').first().waitFor();
    await view.picture('data-placeholders');
    await expect.poll(() => view.page.locator('.cell.waiting').count()).toBe(0);
  });

  it('lays itself out anew when its width changes', async () => {
    const view = await open();
    await cell(view, 30).focus();
    await view.page.setViewportSize({ width: 260, height: 700 });
    await expect.poll(() => columnsOf(view)).toBe(2);
    await expect.poll(() => focused(view)).toBe(30);
    expect(await cell(view, 30).isVisible()).toBe(true);
    expect(await view.page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0);
    await view.picture('data-260');
  });
});
