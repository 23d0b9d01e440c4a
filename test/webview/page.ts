import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import axe, { type AxeResults } from 'axe-core';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser } from '../host/browser';
import type { Ask, Setting } from './hostEnd';
import { type ThemeName, themeSheet, themes } from './themes';

const pictures = 'test-results/webview';

export interface ViewOptions {
  readonly view: 'influence' | 'data';
  readonly setting: Setting;
  readonly theme?: ThemeName;
  readonly width?: number;
  readonly height?: number;
  readonly reducedMotion?: boolean;
}

export interface View {
  readonly page: Page;
  asks(method?: string): Promise<readonly Ask[]>;
  /** Forgets what was asked so far. */
  forget(): Promise<void>;
  /** Names and targets of everything that axe-core finds wrong. */
  violations(): Promise<readonly string[]>;
  /** Writes `test-results/webview/<name>.png`. */
  picture(name: string): Promise<void>;
  /** What the page reported: exceptions, console errors, breaches of the content security policy. */
  readonly complaints: readonly string[];
}

export interface ViewServer {
  open(options: ViewOptions): Promise<View>;
  close(): Promise<void>;
}

/** Bundles the views as the build does and serves them, one page per `open`, under the policy that the extension sets. */
export async function startViews(): Promise<ViewServer> {
  const files = await bundle();
  const nonce = randomBytes(16).toString('base64');
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const theme = (url.searchParams.get('theme') ?? 'dark') as ThemeName;
    const view = url.searchParams.get('view') ?? 'influence';
    if (url.pathname === '/') respond('text/html', html(view, theme, nonce));
    else if (url.pathname === '/theme.css') respond('text/css', themeSheet(theme, view));
    else respond(url.pathname.endsWith('.css') ? 'text/css' : 'text/javascript', files.get(url.pathname) ?? '');

    function respond(type: string, body: string): void {
      response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(body);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const browser = await launchBrowser();
  await mkdir(pictures, { recursive: true });
  return {
    open: (options) => openView(browser, `http://127.0.0.1:${port}`, options),
    async close() {
      await browser.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bundle(): Promise<ReadonlyMap<string, string>> {
  const { outputFiles } = await build({
    entryPoints: ['webview/main.ts', 'test/webview/hostEnd.ts'],
    entryNames: '[name]',
    outdir: '/',
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    minify: true,
    logLevel: 'warning',
  });
  return new Map(outputFiles.map(({ path, text }) => [path, text]));
}

function html(view: string, theme: ThemeName, nonce: string): string {
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'self' 'nonce-${nonce}'; font-src 'self'; img-src 'self' data: blob:`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta http-equiv="Content-Security-Policy" content="${policy}">
  <meta property="csp-nonce" content="${nonce}">
  <link rel="icon" href="data:,">
  <link rel="stylesheet" href="/theme.css?theme=${theme}&view=${view}">
  <link rel="stylesheet" href="/main.css">
  <title>Whence</title>
</head>
<body data-view="${view}" class="${themes[theme].bodyClass}">
  <script type="module" nonce="${nonce}" src="/hostEnd.js"></script>
  <script type="module" nonce="${nonce}" src="/main.js"></script>
</body>
</html>`;
}

async function openView(browser: Browser, origin: string, options: ViewOptions): Promise<View> {
  const { view, setting, theme = 'dark', width = 320, height = 900, reducedMotion = false } = options;
  const page = await browser.newPage({
    viewport: { width, height },
    reducedMotion: reducedMotion ? 'reduce' : 'no-preference',
  });
  const complaints: string[] = [];
  let muted = false;
  /** Both tools put style elements of their own into the page, which its policy refuses with a message. */
  async function withoutComplaints(tool: () => Promise<void>): Promise<void> {
    muted = true;
    await tool();
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    muted = false;
  }
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (muted) return;
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  await page.addInitScript((given) => {
    window.setting = given;
  }, setting);
  await page.goto(`${origin}/?view=${view}&theme=${theme}`);
  return {
    page,
    complaints,
    asks: (method) =>
      page.evaluate((name) => window.hostEnd.asks.filter((ask) => !name || ask.method === name), method),
    forget: () => page.evaluate(() => void window.hostEnd.asks.splice(0)),
    async violations() {
      const runs: AxeResults[] = [];
      await withoutComplaints(async () => {
        await page.evaluate(axe.source);
        runs.push((await page.evaluate('axe.run()')) as AxeResults);
      });
      return runs
        .flatMap(({ violations }) => violations)
        .flatMap(({ id, nodes }) =>
          nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`),
        );
    },
    async picture(name) {
      await withoutComplaints(async () => void (await page.screenshot({ path: `${pictures}/${name}.png` })));
    },
  };
}
