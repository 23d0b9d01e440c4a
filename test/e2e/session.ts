import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, inject } from 'vitest';
import { launchBrowser } from '../host/browser';
import { type Host, type HostOptions, startHost } from '../host/host';
import { type Theme, Workbench } from '../host/workbench';

/** A browser and a VS Code with the packaged extension, for one test file. */
export class Session {
  private readonly copies: string[] = [];
  private readonly windows: Workbench[] = [];

  private constructor(
    readonly host: Host,
    readonly browser: Browser,
  ) {}

  static async start(options: HostOptions = {}): Promise<Session> {
    const [host, browser] = await Promise.all([startHost({ ...options, vsix: [inject('vsix')] }), launchBrowser()]);
    return new Session(host, browser);
  }

  /** A copy of a sample that a test may change, without what using the sample itself has left there. */
  async copySample(name: string): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'whence-e2e-'));
    this.copies.push(folder);
    const copy = join(folder, name);
    const left = /^(\.whence|whence.*\.json|__pycache__)$/;
    await cp(resolve('sample', name), copy, {
      recursive: true,
      filter: (source) => !left.test(basename(source)),
    });
    return copy;
  }

  async makeFolder(files: Readonly<Record<string, string>>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'whence-e2e-'));
    this.copies.push(folder);
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return folder;
  }

  async open(folder: string, theme?: Theme): Promise<Workbench> {
    const workbench = await Workbench.open(this.browser, this.host, folder, theme);
    this.windows.push(workbench);
    return workbench;
  }

  /** Pictures of every open window, for whoever has to find out why a test failed. */
  async picture(name: string): Promise<void> {
    for (const [index, { page }] of this.windows.entries()) {
      const path = join('test-results', `${name.replace(/\W+/g, '-')}-${index}.png`);
      await page.screenshot({ path }).catch(() => undefined);
    }
  }

  /** Closes every window, so that the next test meets neither its editors nor its worker. */
  async closeWindows(): Promise<void> {
    for (const workbench of this.windows.splice(0)) await workbench.close().catch(() => undefined);
  }

  async stop(): Promise<void> {
    await this.closeWindows();
    await this.browser.close();
    await this.host.stop();
    for (const folder of this.copies) await rm(folder, { recursive: true, force: true });
  }
}

/** One session for all tests of a file; a window lives as long as its test. */
export function useSession(options?: HostOptions): () => Session {
  let session: Session | undefined;
  beforeAll(async () => {
    session = await Session.start(options);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await session?.picture(task.name);
    await session?.closeWindows();
  });
  afterAll(() => session?.stop());
  return () => {
    if (!session) throw new Error('The session has not started.');
    return session;
  };
}
