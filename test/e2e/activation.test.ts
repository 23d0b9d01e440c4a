import { expect, test } from 'vitest';
import { useSession } from './session';

const session = useSession();

test('a workspace without checkpoints does not start the extension', async () => {
  const folder = await session().makeFolder({ 'notes.md': '# nothing to attribute here\n' });
  const workbench = await session().open(folder);
  await workbench.openFile('notes.md');
  await expect
    .poll(() => session().host.activated(), { timeout: 60_000 })
    .toContain('vscode.markdown-language-features');
  expect(await session().host.activated()).not.toContain('whence.whence');
  await session().closeWindows();
});

test('a workspace with checkpoints shows the Whence container with its views', async () => {
  const workbench = await session().open(await session().copySample('fashion-mnist'));
  await workbench.showContainer('Whence');
  await workbench.page.locator('.sidebar .pane-header', { hasText: 'Runs' }).waitFor();
  await workbench.page.locator('.sidebar .pane-header', { hasText: 'Influence' }).waitFor();
  await expect.poll(() => session().host.activated(), { timeout: 60_000 }).toContain('whence.whence');
  await session().closeWindows();
});
