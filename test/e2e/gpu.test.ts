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
  const picker = workbench.page.locator('.quick-input-widget');
  const path = picker.locator('input[type="text"]');
  await path.waitFor();
  // The picker reads folders while one types, and takes no answer before it has.
  await expect
    .poll(
      async () => {
        if (await path.isVisible()) {
          await path.fill(`${named}/`, { timeout: 2000 });
          await picker.getByRole('button', { name: 'OK' }).click({ timeout: 2000 });
        }
        return dialog.getByText(`cuDNN 9: found, ${named}`).isVisible();
      },
      { timeout: 60_000, interval: 3000 },
    )
    .toBe(true);
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await session().closeWindows();
});
