import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const folders = ['/usr/bin', '/usr/local/bin', '/snap/bin'];
const applications = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** Path of a Chromium on this machine: `CHROMIUM`, else the first of the usual names on PATH. */
export function findChromium(): string {
  const named = process.env.CHROMIUM;
  if (named) {
    if (existsSync(named)) return named;
    throw new Error(`CHROMIUM names ${named}, which does not exist.`);
  }
  const search = [...new Set([...(process.env.PATH ?? '').split(delimiter), ...folders])].filter(Boolean);
  const candidates = [...search.flatMap((folder) => names.map((name) => join(folder, name))), ...applications];
  const found = candidates.find((path) => existsSync(path));
  if (found) return found;
  throw new Error(
    'These tests need Chromium, and none was found.\n' +
      '  Debian, Ubuntu: sudo apt-get install --no-install-recommends chromium fonts-dejavu-core\n' +
      '  elsewhere: install Chrome or Chromium, and set CHROMIUM to its path if it is not on PATH.',
  );
}

/** A browser that reaches this machine only. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
}
