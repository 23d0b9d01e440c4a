import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleFile } from './bundle';

const root = join(import.meta.dirname, '../..');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command line with its worker, bundled as the product is into a folder of its own. */
export interface CommandLine {
  readonly folder: string;
  /** Runs it to its end; `onStderr` sees what has been said so far. */
  run(args: readonly string[], onStderr?: (text: string, child: ChildProcess) => void): Promise<Ended>;
  remove(): void;
}

export function buildCommandLine(): CommandLine {
  const folder = mkdtempSync(join(tmpdir(), 'whence-command-'));
  for (const [name, entry] of [
    ['cli', 'cli/main'],
    ['worker', 'worker/main'],
    ['eigenThread', 'worker/eigenThread'],
  ]) {
    bundleFile(join(folder, 'dist', `${name}.mjs`), `src/${entry}.ts`);
  }
  copyFileSync(join(root, 'media/eigh.wasm'), join(folder, 'dist/eigh.wasm'));
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return {
    folder,
    run(args, onStderr) {
      const child = spawn(process.execPath, [join(folder, 'dist/cli.mjs'), ...args], { cwd: folder });
      child.stdin.end();
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString();
      });
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString();
        onStderr?.(stderr, child);
      });
      return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}
