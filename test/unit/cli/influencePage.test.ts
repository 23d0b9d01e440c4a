import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { influencePage } from '../../../src/cli/influencePage';
import { launchBrowser } from '../../host/browser';
import { influence, run } from './example';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

async function open(colorScheme: 'light' | 'dark', javaScriptEnabled: boolean): Promise<Page> {
  const context = await browser.newContext({ colorScheme, javaScriptEnabled });
  const page = await context.newPage();
  await page.setContent(influencePage(influence, run));
  return page;
}

describe('the page', () => {
  it('shows both lists without a script or a request', async () => {
    const page = await open('light', false);
    const requests: string[] = [];
    page.on('request', (request) => requests.push(request.url()));
    await page.setContent(influencePage(influence, run));
    expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([]);
    const headings = await page.locator('h1, h2').allTextContents();
    expect(headings).toEqual(['test:17', 'Pushed towards <b>Shirt</b> & "co"', 'Pushed away from <b>Shirt</b> & "co"']);
    expect(await page.locator('section.towards ol > li').count()).toBe(2);
    expect(await page.locator('section.away .score').textContent()).toContain('-0.0483');
    expect(await page.locator('section.away .segments b').first().textContent()).toBe('steps 0 to 10: -0.0400');
    await page.context().close();
  });

  it('draws bars in proportion, away from the other side', async () => {
    const page = await open('light', true);
    const widths = await page
      .locator('.bar span')
      .evaluateAll((bars) =>
        bars.map((bar) => bar.getBoundingClientRect().width / (bar.parentElement?.getBoundingClientRect().width ?? 1)),
      );
    for (const [at, expected] of [1, 0.787, 0.574].entries()) expect(widths[at]).toBeCloseTo(expected, 2);
    await page.context().close();
  });

  it('shows the thumbnails’ own pixels, the right way up', async () => {
    const page = await open('light', true);
    const pixels = await page.locator('header img').evaluate(async (img: HTMLImageElement) => {
      await img.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: 4, height: 4 });
      const context = canvas.getContext('2d');
      context?.drawImage(img, 0, 0, 4, 4);
      return [...(context?.getImageData(0, 0, 4, 4).data ?? [])].filter((_, at) => at % 4 === 0);
    });
    expect(pixels).toEqual(Array.from({ length: 16 }, (_, i) => i * 16));
    await page.context().close();
  });

  it('is accessible in light and dark', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      const page = await open(scheme, true);
      await page.addScriptTag({ content: axe.source });
      const violations = await page.evaluate(
        'axe.run().then(({ violations }) => violations.map(({ id, help }) => id + help))',
      );
      expect(violations, scheme).toEqual([]);
      await page.context().close();
    }
  });
});
