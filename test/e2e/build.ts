import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Bundles the extension anew, so that no test meets a stale dist/. */
export async function build(): Promise<void> {
  await promisify(execFile)(process.execPath, ['esbuild.mjs']);
}
