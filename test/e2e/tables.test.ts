import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { useSession } from './session';
import { readList, WhenceWindow } from './whenceWindow';

const session = useSession();

test('right-click a line of a CSV file, and a click opens the training line', async () => {
  const folder = await session().copySample('breast-cancer');
  const workbench = await session().open(folder);
  const whence = new WhenceWindow(workbench, folder);
  await whence.setUp();
  await workbench.openFile('data/test.csv');
  await workbench
    .line('14.25')
    .first()
    .click({ button: 'right', position: { x: 40, y: 8 } });
  await workbench.pick('Attribute This Prediction');
  await whence.show();
  const view = await whence.influenceIn('shown');
  // The header is line 1, so the first line of values is example 0.
  expect(await view.locator('.query h2').textContent()).toContain('test #0');
  const towards = await readList(view, 'towards');
  expect(towards.length).toBeGreaterThanOrEqual(10);

  await view.locator('.list.towards [role=option]').first().click();
  await workbench.tab('train.csv').waitFor();
  const index = Number(towards[0]?.name.replace('train #', ''));
  const lines = (await readFile(join(folder, 'data', 'train.csv'), 'utf8')).split('\n');
  const [firstField = ''] = (lines[index + 1] ?? '').split(',');
  const beside = workbench.page.locator('.editor-group-container').last();
  await beside.locator('.view-line', { hasText: firstField }).first().waitFor();
  await beside.locator('.line-numbers', { hasText: new RegExp(`^${index + 2}$`) }).waitFor();
  await beside.locator('.selected-text').first().waitFor();
});

test('every mistake in whence.json is a squiggle', async () => {
  const folder = await session().copySample('breast-cancer');
  const workbench = await session().open(folder);
  const whence = new WhenceWindow(workbench, folder);
  await whence.setUp();
  expect(await workbench.squiggles().count()).toBe(0);
  await workbench.line('model.onnx').first().click();
  await workbench.page.keyboard.press('Control+a');
  await workbench.page.keyboard.insertText('{ "model": "nowhere.onnx", "checkpoints": 7 }');
  await expect.poll(() => workbench.squiggles().count(), { timeout: 30_000 }).toBeGreaterThan(0);
});
