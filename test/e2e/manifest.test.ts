import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runInExtensionHost } from '../host/extensionHost';
import { useSession } from './session';

const session = useSession({ smokeTest: true });

test('every contributed command is registered, and has a title', async () => {
  const development = await session().makeFolder({
    'package.json': '{ "name": "empty", "publisher": "test", "version": "0.0.1", "engines": { "vscode": "*" } }',
  });
  const { code, lines } = await runInExtensionHost(session().browser, session().host, {
    folder: await session().copySample('breast-cancer'),
    development,
    tests: resolve('test/e2e/inside/commands.cjs'),
  });
  expect(lines.join('\n')).not.toMatch(/AssertionError/);
  expect(code).toBe(0);
});
