import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { writeStubs } from './stubs';

const serverVersion = '4.139.1';
const nodeVersion = '24.21.0';

/** A real VS Code (its server build) with the Node that it wants. */
export interface Installation {
  readonly node: string;
  readonly server: string;
}

/**
 * The VS Code that tests run in, fetched from the npm registry on the first call and kept in a cache folder
 * (`WHENCE_TEST_CACHE`, default `~/.cache/whence-test-host`). Half an installation is never taken for a whole one: it is
 * made under another name and renamed when complete.
 */
export async function installHost(log: (line: string) => void = console.log): Promise<Installation> {
  if (process.platform === 'win32') {
    throw new Error('The tests in a real VS Code run on Linux and macOS. Run `npm run test:unit` here.');
  }
  const cache = process.env.WHENCE_TEST_CACHE ?? join(homedir(), '.cache', 'whence-test-host');
  const folder = join(cache, `vscode-${serverVersion}-${process.platform}-${process.arch}`);
  if (!existsSync(folder)) await install(cache, folder, log);
  return {
    node: join(folder, 'node_modules', nodePackage(), 'bin', 'node'),
    server: join(folder, 'node_modules', 'code-server', 'out', 'node', 'entry.js'),
  };
}

function nodePackage(): string {
  return `node-${process.platform}-${process.arch}`;
}

async function install(cache: string, folder: string, log: (line: string) => void): Promise<void> {
  log(`Fetching VS Code for the tests into ${cache} (once, about a minute, 800 MB) ...`);
  const draft = `${folder}.${process.pid}`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true });
  try {
    await writeFile(join(draft, 'package.json'), '{ "name": "vscode-for-tests", "private": true }\n');
    await npmInstall(draft, `code-server@${serverVersion}`, `${nodePackage()}@${nodeVersion}`);
    const vscode = join(draft, 'node_modules', 'code-server', 'lib', 'vscode');
    await npmInstall(vscode, '--omit=dev');
    await npmInstall(join(vscode, 'extensions'), '--omit=dev');
    await writeStubs(join(vscode, 'node_modules'));
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another run may have been quicker; its installation is as good.
    if (!existsSync(folder)) throw error;
  }
}

function npmInstall(cwd: string, ...args: string[]): Promise<void> {
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  // npm hands its own settings down to what it starts: this project's .npmrc is not meant for the host's folder.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle)/.test(name)),
  );
  return new Promise((resolve, reject) => {
    const npm = spawn('npm', ['install', ...quiet, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [npm.stdout, npm.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    npm.on('error', reject);
    npm.on('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`npm install ${args.join(' ')} failed in ${cwd}:\n${output}`));
    });
  });
}
