import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { useSession } from './session';

const session = useSession();
const withoutGpu = process.platform === 'linux' && process.arch === 'x64' && !existsSync('/proc/driver/nvidia/version');

test.runIf(withoutGpu)('setting up a GPU says what is missing before anything is downloaded', async () => {
  const workbench = await session().open(await session().copySample('fashion-mnist'));
  await workbench.command('Whence: Set Up GPU');
  const dialog = workbench.page.locator('.monaco-dialog-box');
  await dialog.getByText('CUDA cannot be set up yet; nothing was downloaded.').waitFor({ timeout: 120_000 });
  const text = (await dialog.textContent()) ?? '';
  expect(text).toMatch(/NVIDIA driver: missing, .*Install NVIDIA's driver/);
  expect(text).toMatch(/CUDA 12: (missing, no libcudart\.so\.12|found)/);
  expect(text).toMatch(/cuDNN 9: (missing, no libcudnn\.so\.9|found)/);
  const named = await session().makeFolder({ 'libcudnn.so.9': '' });
  await dialog.getByText('Name Folders…').click();
  const path = workbench.page.locator('.quick-input-widget input[type="text"]');
  await path.waitFor();
  await path.fill(`${named}/`);
  await path.press('Enter');
  await dialog.getByText(`cuDNN 9: found, ${named}`).waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await session().closeWindows();
});
