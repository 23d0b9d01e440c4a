import { cp, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { useSession } from './session';
import { readList, WhenceWindow } from './whenceWindow';

const session = useSession();
const minute = 60_000;

const runs = {
  lightning: { optimizer: 'SGD, Nesterov momentum 0.9', file: 'test-lightning.csv', step: '120' },
  loop: { optimizer: 'AdamW, betas 0.9 and 0.98', file: 'test-loop.csv', step: '96' },
  trainer: { optimizer: 'AdamW, betas 0.9 and 0.99', file: 'test.jsonl', step: '60' },
} as const;

/** A workspace of three runs, each with its own data. */
async function copyRuns(): Promise<string> {
  const folder = await session().makeFolder({});
  const from = resolve('test/fixtures/runs');
  for (const name of Object.keys(runs)) await cp(join(from, name), join(folder, name), { recursive: true });
  for (const name of ['lightning', 'loop']) {
    for (const split of ['train', 'test']) {
      await cp(join(from, 'data', `${split}.csv`), join(folder, name, `${split}-${name}.csv`));
    }
  }
  return folder;
}

test('runs of Lightning, of transformers and of a plain loop are set up without a question, and attributed', async () => {
  const folder = await copyRuns();
  const workbench = await session().open(folder);
  const whence = new WhenceWindow(workbench, folder);
  await whence.show();
  await whence.collapse('Influence');
  await whence.collapse('Suspect Labels');
  await whence.row('not set up').first().waitFor({ timeout: minute });
  await expect.poll(() => whence.row('Set Up This Workspace').count()).toBe(3);
  await whence.widenSideBar(560);
  await workbench.screenshot('test-results/real-runs-found.png');

  for (const name of Object.keys(runs)) {
    await workbench.command('Set Up This Workspace');
    const others = Object.keys(runs).indexOf(name) < Object.keys(runs).length - 1;
    if (others) await workbench.quickPick(name).first().click();
    await expect
      .poll(() => readFile(join(folder, name, 'whence.json'), 'utf8').catch(() => ''), { timeout: 2 * minute })
      .toContain('"optimizer"');
    await whence.row(new RegExp(`^${name}step`)).waitFor({ timeout: minute });
    expect(await workbench.page.locator('.quick-input-widget').isVisible()).toBe(false);
  }
  for (const [name, { optimizer, step }] of Object.entries(runs)) {
    expect(await whence.row(new RegExp(`^${name}step`)).textContent()).toContain(`step ${step} · ${optimizer}`);
  }
  await workbench.screenshot('test-results/real-runs-set-up.png');

  await whence.expand('Influence');
  for (const [name, { file }] of Object.entries(runs)) {
    await workbench.openFile(`${name}/${file}`);
    const query = file.endsWith('.csv') ? 1 : 0;
    await workbench.page
      .locator('.editor-instance .view-line')
      .nth(query)
      .click({ button: 'right', position: { x: 40, y: 8 } });
    await workbench.pick('Attribute This Prediction');
    const view = await whence.influenceIn('shown');
    await expect
      .poll(async () => (await readList(view, 'towards')).length + (await readList(view, 'away')).length)
      .toBeGreaterThan(5);
  }
});

test('where no file tells how a run was trained, one question asks for it', async () => {
  const folder = await session().copySample('breast-cancer');
  for (const name of ['training-log.csv', 'train.py']) await rm(join(folder, name));
  const workbench = await session().open(folder);
  const whence = new WhenceWindow(workbench, folder);
  await whence.show();
  await whence.row('not known').waitFor({ timeout: minute });
  await workbench.command('Set Up This Workspace');
  const box = workbench.page.locator('.quick-input-widget');
  const input = box.locator('input[type="text"]').first();
  await expect.poll(() => input.inputValue(), { timeout: minute }).toBe('SGD(lr=0.01, momentum=0, weight_decay=0)');
  expect(await box.textContent()).toContain('No file tells which optimizer it was and the learning rate.');
  await input.fill('SGD(lr=fast)');
  await expect.poll(() => box.textContent()).toContain('Write it as in Python');
  await input.fill('SGD(lr=0.05, momentum=0.9)');
  await input.press('Enter');
  await whence.row(/step [\d,]+ · SGD, momentum 0.9/).waitFor({ timeout: 2 * minute });
  const text = await readFile(join(folder, 'whence.json'), 'utf8');
  expect(text).toContain('"optimizer": { "kind": "sgd", "momentum": 0.9, "learningRate": 0.05 }');
});
