import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Theme } from '../host/workbench';
import { useSession } from './session';
import { readList, WhenceWindow } from './whenceWindow';

const session = useSession();

test('right-click a wrong prediction, see the training examples behind it', async () => {
  const folder = await session().copySample('fashion-mnist');
  const workbench = await session().open(folder);
  const whence = new WhenceWindow(workbench, folder);

  const config = await whence.setUp();
  expect(config).toContain('model.onnx');
  expect(config).toContain('t10k-images-idx3-ubyte.gz');

  const testImages = await whence.openSplit('test');
  await whence.chooseWrongFirst(testImages);
  const confidences = await testImages.locator('.cell.wrong .confidence').allTextContents();
  const percents = confidences.map((text) => Number(text.replace(/[^\d]/g, '')));
  expect(percents.length).toBeGreaterThan(5);
  expect(percents).toEqual([...percents].sort((a, b) => b - a));

  const query = await whence.attributeCell(testImages.locator('.cell[data-position="0"]'));
  await whence.influenceIn('running');
  const view = await whence.influenceIn('shown');
  expect(await view.locator('.query h2').textContent()).toContain(`test #${query}`);

  const towards = await readList(view, 'towards');
  const away = await readList(view, 'away');
  expect(towards.length).toBeGreaterThanOrEqual(10);
  expect(away.length).toBeGreaterThanOrEqual(10);
  const scores = towards.map(({ score }) => score);
  const counterScores = away.map(({ score }) => score);
  expect(scores).toEqual([...scores].sort((a, b) => b - a));
  expect(counterScores).toEqual([...counterScores].sort((a, b) => a - b));
  expect(scores[0]).toBeGreaterThan(0);
  expect(scores.every((score) => score >= 0)).toBe(true);
  expect(counterScores[0]).toBeLessThan(0);
  expect(counterScores.every((score) => score <= 0)).toBe(true);
  for (const { name } of [...towards, ...away]) expect(name).toMatch(/^train #\d+$/);

  const first = Number(towards[0]?.name.replace('train #', ''));
  await view.locator('.list.towards [role=option]').first().click();
  await workbench.tab('train-images-idx3-ubyte.gz').waitFor();
  const trainImages = await workbench.webview(`main.data .cell.revealed[data-index="${first}"]`);
  expect(await trainImages.locator('.cell.revealed').count()).toBe(1);
  expect(await workbench.page.locator('.editor-group-container').count()).toBe(2);
  await session().closeWindows();

  for (const [theme, name] of themes) await takePicture(folder, theme, name, query);
});

const themes: readonly (readonly [Theme, string])[] = [
  ['Dark Modern', 'dark'],
  ['Light Modern', 'light'],
  ['Default High Contrast', 'high-contrast'],
];

/** The same once more in a theme, with factors that are there already: a picture for the README and for our eyes. */
async function takePicture(folder: string, theme: Theme, name: string, query: number): Promise<void> {
  const workbench = await session().open(folder, theme);
  const whence = new WhenceWindow(workbench, folder);
  await whence.show();
  await whence.widenSideBar(520);
  const testImages = await whence.openSplit('test');
  await whence.chooseWrongFirst(testImages);
  expect(await whence.attributeCell(testImages.locator('.cell[data-position="0"]'))).toBe(query);
  const view = await whence.influenceIn('shown');
  await whence.collapse('Runs');
  await whence.collapse('Suspect Labels');
  await view.locator('.list.towards [role=option]').first().click();
  const trainImages = await workbench.webview('main.data .cell.revealed');
  await expect.poll(() => trainImages.locator('.cell.waiting').count(), { timeout: 30_000 }).toBe(0);
  await workbench.screenshot(join('docs', 'images', `influence-${name}.png`));
  await session().closeWindows();
}
