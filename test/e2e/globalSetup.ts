import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { packageExtension } from '../../tools/package';
import { findChromium } from '../host/browser';
import { installHost } from '../host/install';

declare module 'vitest' {
  interface ProvidedContext {
    readonly vsix: string;
  }
}

/**
 * Once for all files: what the tests need is there, and the extension is built anew and packaged as users get it.
 * `WHENCE_VSIX` names a package to test instead.
 */
export default async function setup(project: TestProject): Promise<void> {
  findChromium();
  await installHost();
  project.provide('vsix', process.env.WHENCE_VSIX ?? (await buildPackage()));
}

async function buildPackage(): Promise<string> {
  await promisify(execFile)(process.execPath, ['esbuild.mjs']);
  return packageExtension(process.cwd());
}
