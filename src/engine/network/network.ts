import { checkGraph } from '../../curvature/instrument';
import type { Site } from '../../curvature/site';
import type { Subject } from '../../curvature/subject';
import type { Binding, ModelBinding } from '../../formats/bind';
import { layerTensorsOf } from '../../formats/binding/expression';
import { isStatistic } from '../../formats/binding/names';
import type { TensorRef } from '../../formats/tensor';
import { encodeModel } from '../../onnx/encode';
import type { Model } from '../../onnx/graph';
import type { Feeds, Runtime, Session } from '../../onnx/runtime';
import { fixedBatch } from '../../onnx/shape';
import type { ProviderReport } from '../../protocol/engineApi';
import { WhenceError } from '../../protocol/errors';
import type { Checkpoint, Problem } from '../../protocol/model';
import type { SitePart } from '../fit/siteParts';
import type { EngineHost } from '../host';
import { type MemoryBudget, memoryOf, queriesAtOnce } from '../memoryBudget';
import type { OpenRun } from '../run/openRun';
import { confirmBinding, tryModel } from './confirm';
import { deviceGraph } from './deviceGraph';
import { type ModelBatch, type ModelExamples, range } from './examples';
import { batchFeeds, scaleFeeds } from './feeds';
import { withFrozen } from './frozen';
import { affordableBatch, subjectOf } from './subject';
import { bind, bindingProblems, loadCompanions, loadOutputScales, loadWeights, meanWeights } from './weights';

/** Where gradients run, and why there. */
export interface Device {
  readonly runtime: Runtime;
  readonly reports: readonly ProviderReport[];
}

/**
 * A run's model on a device: its sites, its sessions (one a graph for the life of the worker, since weights are inputs)
 * and the weights of every checkpoint.
 */
export class Network {
  private readonly sessions: Map<string, Promise<Session>>;
  private readonly subjects: Map<number, Promise<Subject>>;

  private chosen: Promise<Device> | undefined;

  private constructor(
    private readonly run: OpenRun,
    private readonly host: EngineHost,
    private readonly binding: ModelBinding,
    readonly training: Subject,
    private readonly probe: ModelExamples,
    /** How the memory that the run may take is divided. */
    readonly memory: MemoryBudget,
    /** For a network at means of another one's checkpoints: that one, and which of them each is of. */
    private readonly means?: { readonly of: Network; readonly groups: readonly (readonly number[])[] },
  ) {
    this.sessions = means?.of.sessions ?? new Map();
    this.subjects = means?.of.subjects ?? new Map();
    this.subjects.set(training.batch, Promise.resolve(training));
  }

  static async open(run: OpenRun, host: EngineHost, train: ModelExamples): Promise<Network> {
    const [binding] = await Promise.all([bind(run, host), tryModel(run, host, train)]);
    const { bindings, exportedFrom = run.checkpoints.length - 1 } = binding;
    const ready = await withFrozen(run, bindings);
    const weights = await loadWeights(ready, host, bindings, exportedFrom);
    await confirmBinding(ready, host, binding, train, weights);
    const batch = fixedBatch(run.model) ?? (await affordableBatch(ready, host, bindings, train, weights));
    const training = await subjectOf(ready, host, bindings, train, batch, weights);
    const memory = memoryOf(ready, host, training.sites, weights);
    return new Network(ready, host, binding, training, train, memory);
  }

  /** The same network and sessions, its checkpoints being the means of some of this one's: `groups[i]` makes checkpoint i. */
  averaged(groups: readonly (readonly number[])[]): Network {
    const { run, host, binding, training, probe, memory } = this;
    return new Network(run, host, binding, training, probe, memory, { of: this, groups });
  }

  /** The device that gradients run on: compared with the CPU on this very graph when it is first wanted. */
  device(): Promise<Device> {
    if (this.means) return this.means.of.device();
    if (!this.chosen) {
      this.chosen = this.chooseDevice();
      // What failed may be mended: another device named, another export.
      this.chosen.catch(() => {
        this.chosen = undefined;
      });
    }
    return this.chosen;
  }

  private async chooseDevice(): Promise<Device> {
    const { run, training, probe } = this;
    if (training.sites.length === 0) {
      throw new WhenceError(
        'unsupported-op',
        'The model has no Linear or convolution layer that a checkpoint trains.',
        {
          file: run.model.file,
          mend: 'Export the model with its weights as initializers: torch.onnx.export(model.eval(), ..., dynamo=True, optimize=False).',
        },
      );
    }
    const batch = await probe.batch(range(0, Math.min(training.batch, probe.length)), training.batch);
    const feeds = { ...this.batchFeeds(training, batch), ...(await this.weights(run.checkpoints.length - 1)) };
    const graph = (provider: string) => encodeModel(deviceGraph(provider, training, checkGraph));
    return this.host.chooseProvider(graph, feeds, run.config.device ?? 'auto');
  }

  /** What a user should know of how model and checkpoints were put together. */
  get bindingProblems(): readonly Problem[] {
    return bindingProblems(this.run, this.binding);
  }

  /** Width of the logits: the number of classes, or 1. */
  get outputs(): number {
    return this.training.types.get(this.training.logits)!.dims.at(-1)!;
  }

  get sites(): readonly Site[] {
    return this.training.sites;
  }

  /** Trained tensors that no site covers: embeddings, normalisation, shared weights. */
  get uncovered(): readonly string[] {
    const covered = new Set(this.sites.flatMap(({ initializers }) => initializers));
    const bound = this.binding.bindings.map(({ initializer, value }) => ({
      initializer,
      tensors: layerTensorsOf(value),
    }));
    // A tied tensor may fill a covered weight and one that is not.
    const done = new Set(bound.flatMap(({ initializer, tensors }) => (covered.has(initializer) ? tensors : [])));
    const names = bound.flatMap(({ tensors }) => tensors.filter((name) => !done.has(name) && !isStatistic(name)));
    return [...new Set(names)];
  }

  /** The checkpoints' tensors that an initializer is filled from, those of folded normalisations apart. */
  tensorsOf(initializer: string): readonly string[] {
    const bound = this.binding.bindings.find((binding) => binding.initializer === initializer);
    return bound ? layerTensorsOf(bound.value) : [];
  }

  /** The graph of queries: the training one, at the batch size of queries. */
  querySubject(): Promise<Subject> {
    return this.subjectAt(queriesAtOnce(this.memory, this.sites));
  }

  /** The training graph at a batch size, no larger than the training one's; a graph of fixed batch size at that. */
  subjectAt(size: number): Promise<Subject> {
    const batch = fixedBatch(this.run.model) ?? Math.min(size, this.training.batch);
    let subject = this.subjects.get(batch);
    if (!subject) {
      const { run, host, binding, probe } = this;
      const weights = loadWeights(run, host, binding.bindings, run.checkpoints.length - 1);
      subject = weights.then((fed) => subjectOf(run, host, binding.bindings, probe, batch, fed));
      this.subjects.set(batch, subject);
    }
    return subject;
  }

  /** A session for a graph with gradients; `name` identifies it within the network. */
  session(name: string, subject: Subject, graph: (subject: Subject) => Model): Promise<Session> {
    return this.open(name, subject, graph, () => this.device());
  }

  /** A session for a forward graph: where gradients cannot be had, predictions still can. */
  forwardSession(name: string, subject: Subject, graph: (subject: Subject) => Model): Promise<Session> {
    return this.open(name, subject, graph, () =>
      this.device().catch((error: unknown) => {
        if (error instanceof WhenceError && error.code === 'unsupported-op') return { runtime: this.host.cpu };
        throw error;
      }),
    );
  }

  private open(
    name: string,
    subject: Subject,
    graph: (subject: Subject) => Model,
    on: () => Promise<Pick<Device, 'runtime'>>,
  ): Promise<Session> {
    let session = this.sessions.get(name);
    if (!session) {
      session = on().then(({ runtime }) =>
        runtime.createSession(encodeModel(deviceGraph(runtime.provider, subject, graph))),
      );
      this.sessions.set(name, session);
      session.catch(() => this.sessions.delete(name));
    }
    return session;
  }

  /** A checkpoint's weights as the graph's inputs, and the scales of normalisations that are folded into some. */
  weights(checkpoint: number): Promise<Feeds> {
    if (this.means) return meanWeights(this.means.groups[checkpoint]!, (one) => this.means!.of.weights(one));
    return this.weightsFrom(this.run.checkpoints[checkpoint]!);
  }

  /** The same of a checkpoint that need not be the run's: another training of the same network may have left it. */
  async weightsFrom(checkpoint: Checkpoint): Promise<Feeds> {
    const { host, binding } = this;
    const run = { ...this.run, checkpoints: [checkpoint] };
    const scales = await loadOutputScales(run, host, binding.bindings, 0);
    return { ...(await loadWeights(run, host, binding.bindings, 0)), ...scaleFeeds(this.sites, scales) };
  }

  /** What training kept for each element of its parameters, by their tensors' names, as the weights of the graph lie. */
  companions(tensors: ReadonlyMap<string, TensorRef>): Promise<Feeds> {
    return loadCompanions(this.run, this.binding.bindings, tensors);
  }

  /** What of a checkpoint fills each weight of the graph. */
  get bindings(): readonly Binding[] {
    return this.binding.bindings;
  }

  /** The inputs that a batch fills; a session takes those that it has. */
  batchFeeds(subject: Subject, batch: ModelBatch, labels: ArrayLike<number> = batch.labels, token?: number): Feeds {
    return batchFeeds(subject, batch, labels, token);
  }

  /** Lets a session go: what it has worked in stays its own as long as it is open. */
  async close(name: string): Promise<void> {
    const session = this.sessions.get(name);
    this.sessions.delete(name);
    await (await session)?.release();
  }

  /** Lets all sessions of a part of the sites go. */
  async closePart({ name }: SitePart): Promise<void> {
    for (const session of [...this.sessions.keys()].filter((key) => key.endsWith(` of ${name}`))) {
      await this.close(session);
    }
  }

  async release(): Promise<void> {
    const open = await Promise.allSettled(this.sessions.values());
    this.sessions.clear();
    for (const session of open) if (session.status === 'fulfilled') await session.value.release();
  }
}
