import type { Files } from '../../formats/bytes';
import { WhenceError } from '../../protocol/errors';
import type { ExampleId } from '../../protocol/model';
import type { RunConfig } from '../config/config';
import type { EngineHost } from '../host';
import type { ModelExamples } from '../network/examples';
import { Network } from '../network/network';
import { Attribution } from '../scores/attribute';
import { Store } from '../store';
import { loadedStage, loadStages, type TrainingSet, trainingSet } from './loadedStages';
import { modelExamples } from './modelExamples';
import { currentFingerprint, type OpenRun, openConfig, readConfig } from './openRun';

/** A run with its model on a device, and everything that calls on it share. */
export interface LoadedRun {
  readonly files: Files;
  readonly run: OpenRun;
  readonly network: Network;
  readonly store: Store;
  readonly attribution: Attribution;
  /** Training examples in the order of scores. */
  readonly training: TrainingSet;
  /** A split as model inputs; fails with `not-found` for a name that `whence.json` doesn't have. */
  examples(split: string): ModelExamples;
  release(): Promise<void>;
}

/** Runs by their `whence.json`, loaded once and again after any of their files changed. */
export class LoadedRuns {
  private readonly loaded = new Map<string, Promise<LoadedRun>>();

  constructor(private readonly host: EngineHost) {}

  async get(config: string): Promise<LoadedRun> {
    const known = this.loaded.get(config);
    if (known) {
      const loaded = await known;
      // Where a file has gone, reading the run again says which.
      const now = await currentFingerprint(loaded.run, this.host.files).catch(() => undefined);
      if (loaded.run.fingerprint === now) return loaded;
      this.loaded.delete(config);
      await loaded.release();
    }
    const loading = load(config, this.host);
    this.loaded.set(config, loading);
    // What failed to load is tried anew: the user will have mended it.
    loading.catch(() => this.loaded.delete(config));
    return loading;
  }

  /** Works once on a run that is cut into other segments than its own. */
  async cut<R>(
    config: string,
    segments: NonNullable<RunConfig['segments']>,
    work: (loaded: LoadedRun) => Promise<R>,
  ): Promise<R> {
    const loaded = await load(config, this.host, segments);
    try {
      return await work(loaded);
    } finally {
      await loaded.release();
    }
  }
}

async function load(path: string, host: EngineHost, segments?: RunConfig['segments']): Promise<LoadedRun> {
  const config = await readConfig(path, host.files);
  const run = await openConfig(segments === undefined ? config : { ...config, segments }, path, host.files);
  const splits = await modelExamples(run);
  const train = splits.get('train')!;
  const network = await Network.open(run, host, train);
  // The training split comes first: it is read at every checkpoint.
  let room = network.memory.inputs;
  for (const examples of splits.values()) room -= examples.keep(room);
  const store = new Store(host.files, host.files.join(run.folder, '.whence'));
  const whole = { run, network, train };
  const stages =
    run.stages.length === 0
      ? [loadedStage({ ...whole, split: 'train', firstCheckpoint: 0 }, host, store)]
      : await loadStages(run.stages, host, store);
  return {
    files: host.files,
    run,
    network,
    store,
    attribution: new Attribution(run, host, network, stages, store),
    training: trainingSet(stages),
    examples: (split) => stages.find((stage) => stage.split === split)?.train ?? named(run, splits, split),
    async release() {
      for (const own of new Set([network, ...stages.map((stage) => stage.network)])) await own.release();
    },
  };
}

function named(run: OpenRun, splits: ReadonlyMap<string, ModelExamples>, name: string): ModelExamples {
  const examples = splits.get(name);
  if (examples) return examples;
  throw new WhenceError('not-found', `The run has no split "${name}"; it has: ${[...splits.keys()].join(', ')}.`, {
    file: run.path,
    place: 'data',
  });
}

/** The index of an example that exists. */
export function checkedIndex(examples: ModelExamples, { split, index }: ExampleId): number {
  if (Number.isInteger(index) && index >= 0 && index < examples.length) return index;
  throw new WhenceError(
    'bad-argument',
    `The split ${split} has no example ${index}: it holds ${examples.length}, from 0.`,
    {
      file: examples.dataset.files[0]!,
    },
  );
}
