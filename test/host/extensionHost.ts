import type { Browser } from 'playwright-core';
import type { Host } from './host';

export interface ExtensionHostRun {
  /** Folder to open. */
  readonly folder: string;
  /** Folder of an extension under development; an empty one where the installed .vsix is what is tested. */
  readonly development: string;
  /** A CommonJS module that exports `run(): Promise<void>`; it runs inside the Node extension host and may require `vscode`. */
  readonly tests: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeout?: number;
}

/** Runs code inside the extension host of a host started with `smokeTest`. Resolves to its exit code and console lines. */
export async function runInExtensionHost(
  browser: Browser,
  host: Host,
  run: ExtensionHostRun,
): Promise<{ code: number; lines: readonly string[] }> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const lines: string[] = [];
    let exit: (code: number) => void = () => undefined;
    const exited = new Promise<number>((resolve) => {
      exit = resolve;
    });
    await page.exposeFunction('codeAutomationLog', (_kind: string, args: unknown[]) => lines.push(args.join(' ')));
    await page.exposeFunction('codeAutomationExit', (code: number) => exit(code));
    const authority = `vscode-remote://127.0.0.1:${host.port}`;
    const payload = [
      ['extensionDevelopmentPath', authority + run.development],
      ['extensionTestsPath', authority + run.tests],
      ['extensionEnvironment', JSON.stringify(run.environment ?? {})],
    ];
    const query = new URLSearchParams({ folder: run.folder, payload: JSON.stringify(payload) });
    await page.goto(`${host.url}/?${query}`);
    let patience: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const complaint = new Error(`The tests in the extension host did not end.\n${lines.join('\n')}`);
      patience = setTimeout(() => reject(complaint), run.timeout ?? 120_000);
    });
    try {
      return { code: await Promise.race([exited, late]), lines };
    } finally {
      clearTimeout(patience);
    }
  } finally {
    await context.close();
  }
}
