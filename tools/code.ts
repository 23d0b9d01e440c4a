import { spawn, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { startHost } from '../test/host/host';
import { packageExtension } from './package';

/** Opens the sample in VS Code with this extension: in `code` where it is installed, else in the tests' VS Code. */
const sample = resolve('sample/fashion-mnist');
if (spawnSync('code', ['--version'], { stdio: 'ignore' }).status === 0) {
  spawn('code', ['--new-window', `--extensionDevelopmentPath=${process.cwd()}`, sample], { stdio: 'inherit' });
} else {
  const host = await startHost({ vsix: [await packageExtension(process.cwd())] });
  console.log(`Open ${host.url}/?folder=${encodeURIComponent(sample)} in a browser. Ctrl+C ends it.`);
  process.once('SIGINT', () => void host.stop().then(() => process.exit(0)));
}
