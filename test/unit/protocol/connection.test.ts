import { type ChildProcess, fork } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { childPort } from '../../../src/protocol/childPort';
import { type Connection, connect } from '../../../src/protocol/connection';
import { WhenceError } from '../../../src/protocol/errors';
import type { Progress } from '../../../src/protocol/model';
import type { Port } from '../../../src/protocol/port';
import type { EchoApi } from './child/echo';

async function failure(promise: Promise<unknown>): Promise<WhenceError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof WhenceError) return error;
  throw new Error(`expected a WhenceError, got ${String(error)}`);
}

describe('with a real child process', () => {
  let folder = '';
  let child: ChildProcess;
  let echo: Connection<EchoApi, Record<string, never>>;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'whence-echo-'));
    buildSync({
      entryPoints: [join(import.meta.dirname, 'child/echo.ts')],
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: join(folder, 'echo.mjs'),
    });
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function start(): void {
    child = fork(join(folder, 'echo.mjs'), { serialization: 'advanced', stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
    if (!child.stderr) throw new Error('no stderr');
    echo = connect<EchoApi>(childPort(child), { peer: 'The echo' });
  }
  afterEach(() => {
    echo.dispose();
    child.kill('SIGKILL');
  });

  it('passes typed arrays as they are', async () => {
    start();
    const answer = await echo.remote.double({
      values: Float32Array.of(1.5, Number.NaN, -3),
      big: BigInt64Array.of(2n ** 40n),
    });
    expect(answer).toEqual({ values: Float32Array.of(3, Number.NaN, -6), big: BigInt64Array.of(2n ** 41n) });
    expect(await echo.remote.nothing({})).toBeNull();
  });

  it('reports progress in order, to the caller that asked for it', async () => {
    start();
    const seen: [number[], number[]] = [[], []];
    const count = (to: number, into: number[]) =>
      echo.remote.count({ to, milliseconds: 1 }, { onProgress: (progress) => into.push(progress.done) });
    await Promise.all([count(3, seen[0]), count(5, seen[1]), echo.remote.count({ to: 2, milliseconds: 1 })]);
    expect(seen).toEqual([
      [1, 2, 3],
      [1, 2, 3, 4, 5],
    ]);
  });

  it('cancels one call and leaves the other alone', async () => {
    start();
    const cancel = new AbortController();
    const cancelled = failure(
      echo.remote.count(
        { to: 10_000, milliseconds: 5 },
        { signal: cancel.signal, onProgress: (progress: Progress) => progress.done === 3 && cancel.abort() },
      ),
    );
    const other = echo.remote.count({ to: 20, milliseconds: 5 });
    expect((await cancelled).code).toBe('cancelled');
    expect(await other).toEqual({ counted: 20 });
    expect((await failure(echo.remote.count({ to: 1, milliseconds: 1 }, { signal: cancel.signal }))).code).toBe(
      'cancelled',
    );
  });

  it('leaves nothing behind on a signal that outlives its calls', async () => {
    start();
    const { signal } = new AbortController();
    for (let call = 0; call < 3; call++) await echo.remote.count({ to: 1, milliseconds: 1 }, { signal });
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('brings errors back with code and details', async () => {
    start();
    const own = await failure(echo.remote.fail({ how: 'whence' }));
    expect(own).toMatchObject({ code: 'not-finite', message: 'NaN.' });
    expect(own.details).toEqual({ file: '/a', place: 'tensor w', mend: 'Retrain.' });
    expect(await failure(echo.remote.fail({ how: 'plain' }))).toMatchObject({ code: 'internal', message: 'plain' });
    expect(await failure(echo.remote.fail({ how: 'sync' }))).toMatchObject({ code: 'internal' });
    const uncloneable = await failure(echo.remote.fail({ how: 'uncloneable' }));
    expect(uncloneable.message).toContain('could not be sent');
  });

  it('refuses unknown methods and requests that cannot be sent', async () => {
    start();
    const { remote } = connect<{ missing(request: object): Promise<void> }>(childPort(child));
    expect(await failure(remote.missing({}))).toMatchObject({ code: 'internal' });
    const request = { values: (() => 0) as never, big: BigInt64Array.of() };
    expect((await failure(echo.remote.double(request))).message).toContain('could not be sent');
    expect(await echo.remote.nothing({})).toBeNull();
  });

  it('rejects pending and later calls when the child is killed', async () => {
    start();
    await echo.remote.nothing({});
    const pending = [failure(echo.remote.hang({})), failure(echo.remote.count({ to: 10_000, milliseconds: 10 }))];
    child.kill('SIGKILL');
    for (const error of await Promise.all(pending)) {
      expect(error.code).toBe('disconnected');
      expect(error.message).toMatch(/^The echo is gone: .*SIGKILL/);
    }
    expect((await failure(echo.remote.nothing({}))).code).toBe('disconnected');
  });

  it('quotes the last lines of stderr', async () => {
    start();
    const error = await failure(echo.remote.crash({ message: 'terminate called after bad_alloc' }));
    expect(error.code).toBe('disconnected');
    expect(error.message).toContain('exit code 7');
    expect(error.message).toContain('terminate called after bad_alloc');
  });

  it('rejects calls to a program that does not start', async () => {
    child = fork(join(folder, 'missing.mjs'), {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    });
    echo = connect<EchoApi>(childPort(child));
    const error = await failure(echo.remote.nothing({}));
    expect(error.code).toBe('disconnected');
    expect(error.message).toContain('missing.mjs');
  });
});

/** Two ends in memory, which clone as postMessage does. */
function portPair(): [Port, Port, close: (reason: string) => void] {
  const ends = [0, 1].map(() => ({
    messages: new Set<(m: unknown) => void>(),
    closes: new Set<(r: string) => void>(),
  }));
  const port = (here: number): Port => ({
    post(message) {
      const clone: unknown = structuredClone(message);
      queueMicrotask(() => {
        for (const listener of ends[1 - here]?.messages ?? []) listener(clone);
      });
    },
    onMessage(listener) {
      ends[here]?.messages.add(listener);
      return () => ends[here]?.messages.delete(listener);
    },
    onClose(listener) {
      ends[here]?.closes.add(listener);
      return () => ends[here]?.closes.delete(listener);
    },
  });
  const close = (reason: string) => {
    for (const end of ends) for (const listener of end.closes) listener(reason);
  };
  return [port(0), port(1), close];
}

interface HostApi {
  add(request: { a: number; b: number }): Promise<number>;
}
interface ViewApi {
  show(request: { pixels: Uint8Array }): Promise<void>;
  wait(request: Record<string, never>): Promise<void>;
}

describe('in memory', () => {
  it('calls both ways', async () => {
    const [here, there] = portPair();
    const host = connect<ViewApi, HostApi>(here);
    const view = connect<HostApi, ViewApi>(there);
    const shown: Uint8Array[] = [];
    host.serve({ add: async ({ a, b }) => a + b });
    view.serve({
      show: async ({ pixels }) => {
        shown.push(pixels);
      },
      wait: async () => undefined,
    });
    expect(await view.remote.add({ a: 2, b: 3 })).toBe(5);
    await host.remote.show({ pixels: Uint8Array.of(1, 2) });
    expect(shown).toEqual([Uint8Array.of(1, 2)]);
  });

  it('ignores messages that are not its own', async () => {
    const [here, there] = portPair();
    connect<Record<string, never>, HostApi>(there).serve({ add: async ({ a, b }) => a + b });
    const host = connect<HostApi>(here);
    for (const noise of [null, 'text', { type: 'theme' }, 7]) there.post(noise);
    expect(await host.remote.add({ a: 1, b: 1 })).toBe(2);
  });

  it('aborts what it serves when the other end goes, and refuses what it asked', async () => {
    const [here, there, close] = portPair();
    let aborted: () => void = () => undefined;
    const seen = new Promise<void>((resolve) => {
      aborted = resolve;
    });
    let started: () => void = () => undefined;
    const running = new Promise<void>((resolve) => {
      started = resolve;
    });
    connect<HostApi, ViewApi>(there).serve({
      show: async () => undefined,
      wait: (_, { signal }) =>
        new Promise(() => {
          signal.addEventListener('abort', aborted);
          started();
        }),
    });
    const host = connect<ViewApi, HostApi>(here);
    const pending = failure(host.remote.wait({}));
    await running;
    close('the window was closed');
    await seen;
    expect((await pending).message).toContain('the window was closed');
  });

  it('refuses pending and later calls after dispose', async () => {
    const [here, there] = portPair();
    connect<Record<string, never>, ViewApi>(there).serve({
      show: async () => undefined,
      wait: () => new Promise(() => undefined),
    });
    const host = connect<ViewApi>(here);
    const pending = failure(host.remote.wait({}));
    host.dispose();
    host.dispose();
    expect((await pending).code).toBe('disconnected');
    expect((await failure(host.remote.wait({}))).code).toBe('disconnected');
  });
});
