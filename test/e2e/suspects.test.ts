import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { useSession } from './session';
import { WhenceWindow } from './whenceWindow';

const session = useSession();

/** A row of the list: `#812 Coat → Shirt?` */
const suspect = /^#\d+ .+ → .+\?/;

test('suspect labels are ranked, decided, undone, and decisions outlive the window', async () => {
  const folder = await session().copySample('breast-cancer');
  const workbench = await session().open(folder);
  const whence = new WhenceWindow(workbench, folder);
  await whence.setUp();
  await whence.collapse('Runs');
  await workbench.command('Whence: Rank Suspect Labels');
  const rows = whence.row(suspect);
  await rows.first().waitFor({ timeout: 120_000 });
  expect(await rows.count()).toBeGreaterThan(3);
  const [name = ''] = /^#\d+/.exec((await rows.first().textContent()) ?? '') ?? [];
  const row = whence.row(new RegExp(`^${name} `));
  const before = await readdir(folder);

  await row.click({ button: 'right' });
  await workbench.pick('Relabel as Suggested');
  await row.filter({ hasText: 'relabelled' }).waitFor();
  const written = (await readdir(folder)).filter((file) => !before.includes(file));
  expect(written).toHaveLength(1);

  await workbench.command('Whence: Undo Review Decision');
  await expect.poll(() => row.textContent()).not.toContain('relabelled');

  await row.click({ button: 'right' });
  await workbench.pick('Exclude from Training');
  await row.filter({ hasText: 'excluded' }).waitFor();

  await workbench.reload();
  await whence.show();
  await whence.expand('Runs');
  await whence
    .row(/\d+ examples/)
    .first()
    .waitFor({ timeout: 60_000 });
  await workbench.command('Whence: Rank Suspect Labels');
  await row.filter({ hasText: 'excluded' }).waitFor({ timeout: 60_000 });
});
