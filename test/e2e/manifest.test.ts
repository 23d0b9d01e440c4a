import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runInExtensionHost } from '../host/extensionHost';
import { Session } from './session';

let session: Session;
beforeAll(async () => {
  session = await Session.start({ smokeTest: true });
});
afterAll(() => session?.stop());

test('every contributed command is registered, and has a title', async () => {
  const development = await session.makeFolder({
    'package.json': '{ "name": "empty", "publisher": "test", "version": "0.0.1", "engines": { "vscode": "*" } }',
  });
  const { code, lines } = await runInExtensionHost(session.browser, session.host, {
    folder: await session.copySample('breast-cancer'),
    development,
    tests: resolve('test/e2e/inside/commands.cjs'),
  });
  expect(lines.join('\n')).not.toMatch(/AssertionError/);
  expect(code).toBe(0);
});
