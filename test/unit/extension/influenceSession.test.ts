import { beforeEach, describe, expect, it } from 'vitest';
import { describeFailure } from '../../../src/extension/failures';
import { InfluenceSession } from '../../../src/extension/influenceSession';
import { connect } from '../../../src/protocol/connection';
import type { AttributeRequest, EngineApi } from '../../../src/protocol/engineApi';
import { WhenceError } from '../../../src/protocol/errors';
import type { Influence, PredictedExample, Progress } from '../../../src/protocol/model';
import type { Port } from '../../../src/protocol/port';
import type { InfluenceSnapshot } from '../../../src/protocol/viewApi';
import { english } from './english';

const config = '/ws/whence.json';
const first = { split: 'test', index: 17 };
const second = { split: 'test', index: 18 };

type Answered = Pick<EngineApi, 'attribute' | 'examples' | 'hash'>;

/** An ask as it reached the engine's end of a real connection, to be answered when the test says so. */
interface Ask {
  readonly request: AttributeRequest;
  readonly cancelled: () => boolean;
  progress(progress: Progress): void;
  answer(hash?: string): void;
  refuse(error: WhenceError): void;
}

let asks: Ask[];
let shown: InfluenceSnapshot[];
let hashNow: string;
let session: InfluenceSession;

beforeEach(() => {
  asks = [];
  shown = [];
  hashNow = 'a';
  session = newSession(true);
});

function newSession(hasRuns: boolean): InfluenceSession {
  const [here, there] = portPair();
  const engine = connect<EngineApi>(here).remote;
  connect<Record<string, never>, Answered>(there).serve({
    attribute: (request, { signal, progress }) =>
      new Promise((resolve, reject) => {
        const cancel = () => reject(new WhenceError('cancelled', 'Cancelled.'));
        if (signal.aborted) cancel();
        signal.addEventListener('abort', cancel);
        asks.push({
          request,
          progress,
          cancelled: () => signal.aborted,
          answer: (hash = 'a') => resolve(influenceOf(request, hash)),
          refuse: reject,
        });
      }),
    examples: async ({ split, from }) => ({ total: 100, examples: [example({ split, index: from })] }),
    hash: async () => hashNow,
  });
  return new InfluenceSession(
    {
      engine,
      findRun: (path) => (path === config ? { name: 'run', classes: ['cat', 'dog'] } : undefined),
      hasRuns: () => hasRuns,
      defaultTop: () => 20,
      actionFor: (thrown) => describeFailure(thrown, english).action,
      show: (snapshot) => shown.push(snapshot),
    },
    { method: 'source', measurement: 'margin' },
  );
}

function example(id: { split: string; index: number }): PredictedExample {
  const prediction = { predicted: 1, confidence: 0.9, loss: 2, probabilities: [0.1, 0.9] };
  const preview = { kind: 'text', text: 'x' } as const;
  return { id, label: 0, location: { file: '/ws/test.csv', index: id.index }, preview, prediction };
}

function influenceOf({ query, method, measurement }: AttributeRequest, hash: string): Influence {
  return {
    run: config,
    query: example(query),
    method,
    measurement: { kind: measurement?.kind ?? 'margin', target: measurement?.target ?? 1 },
    towards: [],
    away: [],
    byClass: [],
    segments: [],
    examples: 5000,
    hash,
    seconds: 1,
  };
}

/** Two ends of one pipe that clones what passes, a turn later, as processes do. */
function portPair(): [Port, Port] {
  const listeners = [new Set<(message: unknown) => void>(), new Set<(message: unknown) => void>()] as const;
  const end = (own: Set<(message: unknown) => void>, other: Set<(message: unknown) => void>): Port => ({
    post(message) {
      const copy = structuredClone(message);
      setImmediate(() => {
        for (const listener of other) listener(copy);
      });
    },
    onMessage(listener) {
      own.add(listener);
      return () => own.delete(listener);
    },
    onClose: () => () => {},
  });
  return [end(listeners[0], listeners[1]), end(listeners[1], listeners[0])];
}

async function ask(number: number): Promise<Ask> {
  await expect.poll(() => asks.length).toBeGreaterThanOrEqual(number);
  return asks[number - 1] as Ask;
}

function states(): string[] {
  return shown.map(({ state }) => state);
}

describe('before the first query', () => {
  it('tells an empty workspace from one where nothing was asked yet', () => {
    expect(session.snapshot).toEqual({ state: 'empty', reason: 'no-query' });
    expect(newSession(false).snapshot).toEqual({ state: 'empty', reason: 'no-run' });
  });
});

describe('a query', () => {
  it('runs, reports progress and is shown with the names of its run', async () => {
    const done = session.attribute(config, first);
    const asked = await ask(1);
    expect(asked.request).toEqual({ config, query: first, method: 'source', top: 20 });
    const progress = { phase: 'curvature', message: 'Segment 1', done: 1, total: 3 } as const;
    asked.progress(progress);
    await expect.poll(() => shown.at(-1)).toEqual({ state: 'running', query: first, progress });
    asked.answer();
    await done;
    expect(states()).toEqual(['running', 'running', 'shown']);
    expect(shown.at(-1)).toMatchObject({
      result: { runName: 'run', classes: ['cat', 'dog'], labels: [] },
      stale: false,
    });
  });

  it('gives way to a second one: the first is cancelled and never shown', async () => {
    const one = session.attribute(config, first);
    const firstAsk = await ask(1);
    const two = session.attribute(config, second);
    const secondAsk = await ask(2);
    await expect.poll(firstAsk.cancelled).toBe(true);
    await one;
    secondAsk.answer();
    await two;
    expect(states()).toEqual(['running', 'running', 'shown']);
    expect(shown.at(-1)).toMatchObject({ result: { influence: { query: { id: second } } } });
  });

  it('fails with the action of its code, keeps the last result, and is asked again by a retry', async () => {
    await answered(session.attribute(config, first), 1);
    const failing = session.attribute(config, second);
    (await ask(2)).refuse(new WhenceError('disconnected', 'The engine is gone.'));
    await failing;
    expect(shown.at(-1)).toMatchObject({
      state: 'failed',
      error: { code: 'disconnected' },
      action: { kind: 'restart' },
      previous: { influence: { query: { id: first } } },
    });
    await answered(session.retry(), 3);
    expect(shown.at(-1)).toMatchObject({ state: 'shown', result: { influence: { query: { id: second } } } });
  });
});

describe('cancelling', () => {
  it('returns to the empty view, or to what was shown before', async () => {
    const done = session.attribute(config, first);
    await ask(1);
    session.cancel();
    await done;
    expect(shown.at(-1)).toEqual({ state: 'empty', reason: 'no-query' });

    await answered(session.attribute(config, first), 2);
    const other = session.attribute(config, second);
    await ask(3);
    session.cancel();
    await other;
    expect(shown.at(-1)).toMatchObject({ state: 'shown', result: { influence: { query: { id: first } } } });
    await answered(session.choose({ top: 5 }), 4);
    expect(asks[3]?.request.query).toEqual(first);
  });

  it('takes a choice back that was never answered', async () => {
    await answered(session.attribute(config, first), 1);
    const choosing = session.choose({ method: 'tracin', labels: [1] });
    await ask(2);
    session.cancel();
    await choosing;
    expect(session.lasting).toEqual({ method: 'source', measurement: 'margin' });
    await answered(session.attribute(config, second), 3);
    expect(asks[2]?.request).toEqual({ config, query: second, method: 'source', top: 20 });
  });
});

describe('choices', () => {
  it('ask the same query anew and last, labels only for their run', async () => {
    await answered(session.attribute(config, first), 1);
    await answered(session.choose({ method: 'tracin', measurement: 'loss', labels: [1], top: 5 }), 2);
    const measurement = { kind: 'loss' };
    expect(asks[1]?.request).toEqual({ config, query: first, method: 'tracin', measurement, labels: [1], top: 5 });
    expect(shown.at(-1)).toMatchObject({ result: { labels: [1] } });
    expect(session.lasting).toEqual({ method: 'tracin', measurement: 'loss' });
    await answered(session.attribute('/ws/other/whence.json', first), 3);
    expect(asks[2]?.request).not.toHaveProperty('labels');
    expect(asks[2]?.request).toMatchObject({ method: 'tracin', top: 20 });
  });

  it('take the logit of the predicted class', async () => {
    await answered(session.attribute(config, first), 1);
    await answered(session.choose({ measurement: 'logit' }), 2);
    expect(asks[1]?.request.measurement).toEqual({ kind: 'logit', target: 1 });
  });
});

describe('freshness', () => {
  it('marks the answer stale once its hash is another, and fresh again after asking', async () => {
    await answered(session.attribute(config, first), 1);
    await session.checkFreshness();
    expect(shown).toHaveLength(2);
    hashNow = 'b';
    await session.checkFreshness();
    expect(shown.at(-1)).toMatchObject({ state: 'shown', stale: true });
    await session.checkFreshness();
    expect(shown).toHaveLength(3);
    const again = session.retry();
    (await ask(2)).answer('b');
    await again;
    await session.checkFreshness();
    expect(shown.at(-1)).toMatchObject({ state: 'shown', stale: false });
  });
});

async function answered(asking: Promise<void>, number: number): Promise<void> {
  (await ask(number)).answer();
  await asking;
}
