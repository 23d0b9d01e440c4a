import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { EngineClient } from '../../../src/extension/engineClient';

const config = '/ws/whence.json';
let folder = '';
let client: EngineClient;
let lines: string[];
let exits: string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-client-'));
  buildSync({
    entryPoints: [join(import.meta.dirname, 'child', 'engine.ts')],
    outfile: join(folder, 'worker.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
  });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(() => {
  lines = [];
  exits = [];
  client = new EngineClient({
    modulePath: join(folder, 'worker.mjs'),
    programArguments: () => ['--device', 'cpu'],
    onLine: (line) => lines.push(line),
    onDidExit: (reason) => exits.push(reason),
    cancelGraceMs: 300,
    exitGraceMs: 300,
  });
});
afterEach(() => client.dispose());

interface Answerer {
  readonly pid: number;
  readonly argv: readonly string[];
  readonly env: string;
}

async function answerer(): Promise<Answerer> {
  return JSON.parse(await client.engine.hash({ config, method: 'source' }));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

it('starts one process at the first call and keeps it', async () => {
  expect(client.processId).toBeUndefined();
  const first = await answerer();
  expect(first).toEqual({ pid: client.processId, argv: ['--device', 'cpu'], env: '1' });
  expect((await answerer()).pid).toBe(first.pid);
});

it('refuses every waiting call when the process dies, with its last words, and starts anew', async () => {
  const { pid } = await answerer();
  const waiting = client.engine.readReview({ config });
  const dying = client.engine.inspect({ folder });
  const failures = await Promise.allSettled([waiting, dying]);
  for (const failure of failures) {
    expect(failure).toMatchObject({ status: 'rejected', reason: { code: 'disconnected' } });
    expect(String((failure as PromiseRejectedResult).reason)).toContain('the last words');
  }
  expect(exits).toHaveLength(1);
  expect(exits[0]).toContain('exit code 7');
  expect(exits[0]).toContain('the last words');
  expect(lines).toEqual(['first', 'the last words']);
  expect((await answerer()).pid).not.toBe(pid);
});

it('tells of a process that is killed from outside', async () => {
  const { pid } = await answerer();
  const waiting = client.engine.readReview({ config });
  process.kill(pid, 'SIGKILL');
  await expect(waiting).rejects.toMatchObject({ code: 'disconnected' });
  expect(exits[0]).toContain('SIGKILL');
});

it('lets a call that hears its cancellation end by itself, in the same process', async () => {
  const { pid } = await answerer();
  const cancelling = new AbortController();
  const waiting = client.engine.readReview({ config }, { signal: cancelling.signal });
  cancelling.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect((await answerer()).pid).toBe(pid);
});

it('kills a process that does not hear a cancellation, without calling it news', async () => {
  const { pid } = await answerer();
  const cancelling = new AbortController();
  const stuck = client.engine.check({ config }, { signal: cancelling.signal });
  await new Promise((resolve) => setTimeout(resolve, 100));
  const begun = Date.now();
  cancelling.abort();
  await expect(stuck).rejects.toMatchObject({ code: 'cancelled' });
  expect(Date.now() - begun).toBeGreaterThanOrEqual(290);
  await expect.poll(() => isAlive(pid)).toBe(false);
  expect(exits).toEqual([]);
  expect((await answerer()).pid).not.toBe(pid);
});

it('asks the next process what others had asked of the one that was killed', async () => {
  const { pid } = await answerer();
  const cancelling = new AbortController();
  const stuck = client.engine.check({ config }, { signal: cancelling.signal });
  const innocent = answerer();
  await new Promise((resolve) => setTimeout(resolve, 100));
  cancelling.abort();
  await expect(stuck).rejects.toMatchObject({ code: 'cancelled' });
  expect((await innocent).pid).not.toBe(pid);
  expect(exits).toEqual([]);
});

it('lets a cancelled call go that waits behind the work of another', async () => {
  const { pid } = await answerer();
  const cancelling = new AbortController();
  const measurement = { kind: 'margin' } as const;
  const busy = client.engine.scores({ config, queries: [], method: 'source', measurement, out: '' });
  const waiting = client.engine.undoReview({ config }, { signal: cancelling.signal });
  cancelling.abort();
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
  expect((await busy).shape[0]).toBe(pid);
});

it('gives the process a moment to end, then ends it', async () => {
  const { pid } = await answerer();
  const stuck = client.engine.check({ config });
  stuck.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 100));
  const begun = Date.now();
  await client.dispose();
  expect(Date.now() - begun).toBeGreaterThanOrEqual(290);
  expect(isAlive(pid)).toBe(false);
  await expect(stuck).rejects.toMatchObject({ code: 'disconnected' });
  expect(exits).toEqual([]);
  await expect(answerer()).rejects.toMatchObject({ code: 'disconnected' });
});

it('refuses calls when there is no program to start', async () => {
  const lost = new EngineClient({
    modulePath: join(folder, 'nowhere.mjs'),
    programArguments: () => [],
    onLine: () => {},
    onDidExit: (reason) => exits.push(reason),
  });
  await expect(lost.engine.inspect({ folder })).rejects.toMatchObject({ code: 'disconnected' });
  expect(exits[0]).toContain('nowhere.mjs');
  await lost.dispose();
});
