import { describeFile, openDataset } from '../formats/datasets';
import { encodeNpy } from '../formats/npy';
import type { EngineApi } from '../protocol/engineApi';
import { WhenceError } from '../protocol/errors';
import type { RunConfig } from './config/config';
import { validateConfig } from './config/validate';
import type { EngineHost } from './host';
import { range } from './network/examples';
import { measureQueries } from './retraining/measure';
import { pageOfExamples } from './review/predictionList';
import { checkQuality } from './review/quality';
import { addDecision, currentDecisions, exampleKey, exportReview, readReview, undoDecision } from './review/review';
import { rankSuspects } from './review/suspects';
import { checkedIndex, type LoadedRun, LoadedRuns } from './run/loadedRun';
import { exampleOf } from './scores/exampleOf';
import { groupInfluenceOf } from './scores/groupInfluence';
import { influenceOf, truncationOf } from './scores/influence';
import { checkTarget, influenceHash } from './scores/queryScores';
import { selfInfluenceOf } from './scores/selfInfluence';
import { type CallContext, Task } from './task';
import { turns } from './turns';
import { findUse, inspectFolder } from './workspace/inspect';
import { OpenDatasets } from './workspace/openDatasets';
import { completeProposal } from './workspace/setUp';

/** The engine's answers: `EngineApi` with the caller's cancel signal and progress. */
export type EngineHandlers = {
  readonly [M in keyof EngineApi]: (
    request: Parameters<EngineApi[M]>[0],
    context: CallContext,
  ) => ReturnType<EngineApi[M]>;
};

/** One engine serves any number of runs; calls that run a model take turns, so that they do not share memory and cores. */
export function createEngine(host: EngineHost): EngineHandlers {
  const { files } = host;
  const runs = new LoadedRuns(host);
  const takeTurns = turns();
  const datasets = new OpenDatasets(files);

  /** Loads the run, waits for its turn and works on it. */
  const onRun = <R>(config: string, context: CallContext, work: (loaded: LoadedRun, task: Task) => Promise<R>) =>
    takeTurns(context.signal, async () => {
      const task = new Task(context);
      task.step('reading', 'Reading the run', 0);
      return work(await runs.get(config), task);
    });
  /** The same of a run that is cut into other segments than its own, where such are named. */
  const onCut = <R>(
    config: string,
    segments: RunConfig['segments'],
    context: CallContext,
    work: (loaded: LoadedRun, task: Task) => Promise<R>,
  ) =>
    segments === undefined
      ? onRun(config, context, work)
      : takeTurns(context.signal, () => runs.cut(config, segments, (loaded) => work(loaded, new Task(context))));

  return {
    inspect: ({ folder }, { signal }) => inspectFolder(folder, files, signal),
    setUp: (request, context) => takeTurns(context.signal, () => completeProposal(request, host, new Task(context))),
    validate: ({ config, text }) => validateConfig(config, text, files),
    async findUse({ folder, file }, { signal }) {
      const use = await findUse(folder, file, files, signal);
      return use && { config: use.config, split: use.split };
    },

    async exampleAt({ folder, file, line }, { signal }) {
      const use = await findUse(folder, file, files, signal);
      if (!use) return null;
      const dataset = await datasets.get(`${use.config}#${use.split}`, use.paths, use.open);
      const index = dataset.indexAtLine?.(line);
      return index === undefined ? null : { config: use.config, example: { split: use.split, index } };
    },

    async browse({ file, from, count }) {
      const dataset = await datasets.get(file, [file], async () =>
        openDataset(await describeFile(file, files), files.dirname(file), files),
      );
      const examples = range(Math.max(0, from), Math.min(dataset.length, from + count)).map(async (index) => ({
        id: { split: '', index },
        label: dataset.labels[index]!,
        location: dataset.locate(index),
        preview: await dataset.preview(index),
      }));
      return { total: dataset.length, examples: await Promise.all(examples) };
    },

    examples: (request, context) =>
      onRun(request.config, context, (loaded, task) => pageOfExamples(loaded, request, task)),
    check: ({ config }, context) => onRun(config, context, checkQuality),
    attribute: (request, context) =>
      onRun(request.config, context, (loaded, task) => influenceOf(loaded, request, task)),
    groupInfluence: (request, context) =>
      onRun(request.config, context, (loaded, task) => groupInfluenceOf(loaded, request, task)),
    selfInfluence: (request, context) =>
      onRun(request.config, context, (loaded, task) => selfInfluenceOf(loaded, request, task)),

    measure: (request, context) =>
      onRun(request.config, context, (loaded, task) => measureQueries(loaded, request, task)),

    scores: ({ config, queries, method, measurement, out, segments }, context) =>
      onCut(config, segments, context, async (loaded, task) => {
        const split = oneSplit(queries.map((query) => query.split));
        const examples = loaded.examples(split);
        const indices = queries.map((query) => checkedIndex(examples, query));
        const targets = indices.map((index) => measurement.target ?? examples.dataset.labels[index]!);
        for (const target of targets) checkTarget(loaded, target);
        const scores = await loaded.attribution.score(examples, indices, targets, method, measurement.kind, task);
        const data = new Float32Array(scores.queries * scores.examples);
        for (const part of scores.bySegment) for (let i = 0; i < data.length; i++) data[i] = data[i]! + part[i]!;
        const shape = [scores.queries, scores.examples] as const;
        await files.write(out, [encodeNpy({ dtype: 'float32', dims: shape, data })]);
        const worst = scores.truncationErrors?.reduce((most, error) => Math.max(most, error), 0);
        return { shape, ...truncationOf(loaded.run, worst) };
      }),

    suspects: ({ config, top }, context) =>
      onRun(config, context, async (loaded, task) => {
        const { run, network, store, attribution, training } = loaded;
        const ranked = await rankSuspects(run, network, loaded.examples('train'), attribution, store, task);
        const decisions = currentDecisions((await readReview(config, files)).decisions);
        const suspects = ranked.slice(0, Math.max(0, top)).map(async ({ index, ...signals }) => {
          const example = await exampleOf(loaded, training.at(training.length - ranked.length + index));
          const decision = decisions.get(exampleKey(example.id));
          return { example, ...signals, ...(decision ? { decision } : {}) };
        });
        return { suspects: await Promise.all(suspects), examples: ranked.length };
      }),

    review: ({ config, example, action, newLabel }, context) =>
      onRun(config, context, async (loaded) => {
        const examples = loaded.examples(example.split);
        const givenLabel = examples.dataset.labels[checkedIndex(examples, example)]!;
        const isClass = Number.isInteger(newLabel) && newLabel! >= 0 && newLabel! < loaded.network.outputs;
        if (action === 'relabel' && !isClass) {
          throw new WhenceError('bad-argument', 'A relabelled example needs a new label that is one of the classes.', {
            file: config,
          });
        }
        const at = new Date().toISOString();
        const relabelled = action === 'relabel' ? { newLabel: newLabel! } : {};
        return addDecision(config, { example, action, givenLabel, ...relabelled, at }, files);
      }),
    undoReview: ({ config }) => undoDecision(config, files),
    readReview: ({ config }) => readReview(config, files),
    exportReview: ({ config, out }, context) =>
      onRun(config, context, (loaded) =>
        exportReview(
          config,
          out,
          ({ split, index }) => {
            const { dataset } = loaded.examples(split);
            // Data may have lost lines since the decision.
            return index < dataset.length ? dataset.locate(index) : { file: dataset.files[0]!, index };
          },
          (label) => loaded.run.classes[label] ?? String(label),
          files,
        ),
      ),

    providers: ({ config }, context) => onRun(config, context, async ({ network }) => (await network.device()).reports),
    hash: ({ config, method }, context) => onRun(config, context, (loaded) => influenceHash(loaded, method)),
  };
}

function oneSplit(splits: readonly string[]): string {
  const [first] = splits;
  if (first !== undefined && splits.every((split) => split === first)) return first;
  throw new WhenceError('bad-argument', 'Queries must be examples of one split, and at least one.', {});
}
