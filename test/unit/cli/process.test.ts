import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle, bundleFile } from '../../support/bundle';

const root = join(import.meta.dirname, '../../..');
const serve = `import { connect } from './src/protocol/connection';
  import { parentPort } from './src/worker/parentPort';
  process.on('SIGINT', () => undefined);
  process.on('disconnect', () => process.exit(0));
  const forever = () => new Promise(() => undefined);`;
/** Workers that do what no healthy engine does; the healthy one has its own test. */
const workers = {
  deaf: `${serve} connect(parentPort()).serve({ inspect(request, { progress }) {
    progress({ phase: 'reading', message: 'files', done: 0, total: 1 });
    return forever(); } });`,
  blocked: `${serve} connect(parentPort()).serve({ inspect(request, { progress }) {
    progress({ phase: 'reading', message: 'files', done: 0, total: 1 });
    setTimeout(() => { for (;;); }, 50);
    return forever(); } });`,
  crashing: `${serve} process.on('message', () => { console.error('terminate called: bad_alloc'); process.exit(134); });`,
};

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-cli-'));
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
  const program = join(folder, 'cli.mjs');
  bundleFile(program, 'src/cli/main.ts');
  for (const [name, contents] of Object.entries(workers)) {
    bundle(join(folder, name, 'worker.mjs'), contents);
    copyFileSync(program, join(folder, name, 'cli.mjs'));
  }
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line with one of the workers; `onProgress` is called once, when the first progress line appears. */
function whence(
  worker: keyof typeof workers,
  args: readonly string[],
  onProgress?: (child: ChildProcess) => void,
): Promise<Ended> {
  const child = spawn(process.execPath, [join(folder, worker, 'cli.mjs'), ...args]);
  let [stdout, stderr, seen] = ['', '', false];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
    if (seen || !stderr.includes('reading: files')) return;
    seen = true;
    onProgress?.(child);
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
}

describe('usage', () => {
  it('is refused with exit code 2 before anything starts', async () => {
    const wrong = [
      [],
      ['attribute'],
      ['attribute', '--query', 'seventeen'],
      ['attribute', '--query', 'test:1', '--top', '0'],
      ['attribute', '--query', 'test:1', '--method', 'guess'],
      ['scores', '--queries', 'test:0-9'],
      ['retrain', '--halves', '0'],
      ['retrain', '--without', 'train:x'],
      ['retrain', '--parallel', '1.5'],
      ['evaluate', '--methods', 'source,guess'],
      ['evaluate', '--curve', 'learning'],
      ['frobnicate'],
    ];
    const ended = await Promise.all(wrong.map((args) => whence('crashing', args)));
    for (const [at, { code, stdout, stderr }] of ended.entries()) {
      expect([wrong[at], code, stdout]).toEqual([wrong[at], 2, '']);
      expect(stderr).not.toContain('    at ');
    }
  });

  it('is told with --help, exit codes included', async () => {
    const [all, one] = await Promise.all([whence('crashing', ['--help']), whence('crashing', ['attribute', '--help'])]);
    expect([all.code, one.code]).toEqual([0, 0]);
    for (const { stdout } of [all, one])
      expect(stdout).toContain('Exit codes: 0 done, 1 failed, 2 wrong usage, 130 cancelled.');
  });
});

describe('an engine that fails', () => {
  it('is an error with its last words, without a stack trace', async () => {
    const { code, stdout, stderr } = await whence('crashing', ['inspect', '.']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('exit code 134');
    expect(stderr).toContain('bad_alloc');
    expect(stderr).not.toContain('    at ');
  });

  it('is ended by a second Ctrl+C at once', async () => {
    let second = 0;
    const { code, stderr } = await whence('deaf', ['inspect', '.'], (child) => {
      child.kill('SIGINT');
      setTimeout(() => {
        second = Date.now();
        child.kill('SIGINT');
      }, 200);
    });
    expect(code).toBe(130);
    expect(stderr).toContain('Press Ctrl+C again');
    expect(Date.now() - second).toBeLessThan(1500);
  });

  it('is ended when it does not hear the first, even in the middle of a computation', async () => {
    const { code, stderr } = await whence('blocked', ['inspect', '.'], (child) =>
      setTimeout(() => child.kill('SIGINT'), 100),
    );
    expect(code).toBe(130);
    expect(stderr).toContain('Cancelled. Finished stages are kept.');
  });
});
