import { checkGraph, inputNames, type Subject } from '../curvature/instrument';
import { findSites, type Site } from '../curvature/site';
import { type Binding, bindWeights } from '../formats/bind';
import { openCheckpoint } from '../formats/checkpoints';
import { elementCount, formatDims, readFloat32 } from '../formats/tensor';
import { encodeModel } from '../onnx/encode';
import type { Model, ValueInfo } from '../onnx/graph';
import type { Feeds, Runtime, Session, Tensor } from '../onnx/runtime';
import { probeTypes } from '../onnx/shape';
import type { ProviderReport } from '../protocol/engineApi';
import { WhenceError } from '../protocol/errors';
import type { ModelBatch, ModelExamples } from './examples';
import type { EngineHost } from './host';
import type { OpenRun } from './openRun';

/** Intermediate values of one batch, in all passes that share a forward pass, stay below this. */
const batchBytes = 192 * 2 ** 20;
const largestBatch = 512;
/** Queries come one or a few at a time, and some of their gradients are fetched in full. */
export const queryBatch = 16;

/**
 * A run's model on a device: its sites, its sessions (one a graph for the life of the worker, since weights are inputs)
 * and the weights of every checkpoint.
 */
export class Network {
  private readonly sessions = new Map<string, Promise<Session>>();
  private readonly subjects = new Map<number, Promise<Subject>>();

  private constructor(
    private readonly run: OpenRun,
    private readonly host: EngineHost,
    private readonly runtime: Runtime,
    readonly providers: readonly ProviderReport[],
    private readonly bindings: readonly Binding[],
    readonly training: Subject,
    private readonly probe: ModelExamples,
  ) {
    this.subjects.set(training.batch, Promise.resolve(training));
  }

  static async open(run: OpenRun, host: EngineHost, train: ModelExamples): Promise<Network> {
    const bindings = await bind(run, host);
    const fixed = fixedBatch(run.input);
    const batch = fixed ?? (await affordableBatch(run, host, bindings, train));
    const training = await subjectOf(run, host, bindings, train, batch);
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
    const check = await feedsOf(run, host, bindings, training, await train.batch(firstOf(train, batch), batch));
    const { runtime, reports } = await host.chooseProvider(
      encodeModel(checkGraph(training)),
      check,
      run.config.device ?? 'auto',
    );
    return new Network(run, host, runtime, reports, bindings, training, train);
  }

  get sites(): readonly Site[] {
    return this.training.sites;
  }

  /** The device's runtime, for products outside the model's graph. */
  get device(): Runtime {
    return this.runtime;
  }

  /** Trained tensors that no site covers: embeddings, normalisation, shared weights. */
  get uncovered(): readonly string[] {
    const covered = new Set(this.sites.flatMap(({ weight, bias }) => (bias === undefined ? [weight] : [weight, bias])));
    return this.bindings.flatMap(({ initializer, tensor }) => (covered.has(initializer) ? [] : [tensor]));
  }

  /** The graph of queries: the training one, at the batch size of queries. */
  querySubject(): Promise<Subject> {
    const batch = fixedBatch(this.run.input) ?? Math.min(queryBatch, this.training.batch);
    let subject = this.subjects.get(batch);
    if (!subject) {
      subject = subjectOf(this.run, this.host, this.bindings, this.probe, batch);
      this.subjects.set(batch, subject);
    }
    return subject;
  }

  /** A session for a graph; `name` identifies it within the network. */
  session(name: string, graph: () => Model): Promise<Session> {
    let session = this.sessions.get(name);
    if (!session) {
      session = this.runtime.createSession(encodeModel(graph()));
      this.sessions.set(name, session);
    }
    return session;
  }

  /** A checkpoint's weights as the graph's inputs. */
  weights(checkpoint: number): Promise<Feeds> {
    return loadWeights(this.run, this.host, this.bindings, checkpoint);
  }

  /** The inputs that a batch fills; a session takes those that it has. */
  batchFeeds(subject: Subject, batch: ModelBatch, labels: ArrayLike<number> = batch.labels): Feeds {
    return batchFeeds(this.run, subject, batch, labels);
  }

  async release(): Promise<void> {
    const open = await Promise.allSettled(this.sessions.values());
    this.sessions.clear();
    for (const session of open) if (session.status === 'fulfilled') await session.value.release();
  }
}

/** Runs a session with those of the feeds that it knows. */
export function runWith(session: Session, feeds: Feeds): Promise<Record<string, Tensor>> {
  const known = new Set(session.inputs);
  return session.run(Object.fromEntries(Object.entries(feeds).filter(([name]) => known.has(name))));
}

/** A float32 output by name. */
export function floats(outputs: Record<string, Tensor>, name: string): Float32Array {
  return outputs[name]!.data as Float32Array;
}

async function bind(run: OpenRun, host: EngineHost): Promise<readonly Binding[]> {
  const last = await openCheckpoint(await host.files.open(run.checkpoints.at(-1)!.file));
  const bindings = await bindWeights(run.model, last.tensors, run.readInitializer);
  for (const { initializer } of bindings) {
    const { dtype } = run.model.graph.initializers.get(initializer)!;
    if (dtype !== 'float32') {
      throw new WhenceError(
        'unsupported-dtype',
        `The weight ${initializer} is ${dtype}; Whence differentiates float32 models.`,
        {
          file: run.model.file,
          place: `initializer ${initializer}`,
          mend: 'Export the model in float32: model.float().',
        },
      );
    }
  }
  return bindings;
}

async function loadWeights(
  run: OpenRun,
  host: EngineHost,
  bindings: readonly Binding[],
  checkpoint: number,
): Promise<Feeds> {
  const { file } = run.checkpoints[checkpoint]!;
  const { tensors } = await openCheckpoint(await host.files.open(file));
  const feeds: Record<string, Tensor> = {};
  for (const { initializer, tensor, transposed } of bindings) {
    const { dims } = run.model.graph.initializers.get(initializer)!;
    const ref = tensors.get(tensor);
    const expected = transposed ? [...dims].reverse() : dims;
    if (!ref || ref.dims.join() !== expected.join()) {
      const found = ref ? `has the shape ${formatDims(ref.dims)}` : 'is missing';
      throw new WhenceError(
        'binding-failed',
        `The tensor ${tensor} ${found}; the model wants ${formatDims(expected)}.`,
        {
          file,
          place: `tensor ${tensor}`,
          mend: 'Use checkpoints and model.onnx of the same run.',
        },
      );
    }
    const values = await readFloat32(ref);
    feeds[initializer] = { dtype: 'float32', dims, data: transposed ? transpose(values, expected) : values };
  }
  return feeds;
}

function transpose(values: Float32Array, [rows, columns]: readonly number[]): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows!; row++) {
    for (let column = 0; column < columns!; column++) result[column * rows! + row] = values[row * columns! + column]!;
  }
  return result;
}

async function subjectOf(
  run: OpenRun,
  host: EngineHost,
  bindings: readonly Binding[],
  examples: ModelExamples,
  batch: number,
): Promise<Subject> {
  const { inputs } = await examples.batch(firstOf(examples, batch), batch);
  const types = await probeTypes(run.model, host.cpu, { [run.input.name]: inputs });
  const trained = new Set(bindings.map(({ initializer }) => initializer));
  checkLogits(run, types.get(run.logits)!.dims, batch);
  const sites = findSites(run.model, types, trained);
  return { model: run.model, types, batch, logits: run.logits, loss: run.loss, trained, sites };
}

function checkLogits(run: OpenRun, dims: readonly number[], batch: number): void {
  const outputs = dims[1];
  const fits = dims.length === 2 && dims[0] === batch && (run.loss === 'squared-error' || outputs! >= 2);
  if (!fits) {
    throw new WhenceError(
      'shape-mismatch',
      `The output ${run.logits} has the shape ${formatDims(dims)} for ${batch} examples; ${run.loss} wants [batch, outputs].`,
      {
        file: run.model.file,
        place: `output ${run.logits}`,
        mend: 'Export the model so that it returns logits, one row an example.',
      },
    );
  }
  if (run.loss === 'cross-entropy' && run.classes.length > 0 && outputs! < run.classes.length) {
    throw new WhenceError(
      'shape-mismatch',
      `The model has ${outputs} outputs, but the data ${run.classes.length} classes.`,
      {
        file: run.model.file,
        place: `output ${run.logits}`,
        mend: 'Use the model that was trained on this data.',
      },
    );
  }
}

async function feedsOf(
  run: OpenRun,
  host: EngineHost,
  bindings: readonly Binding[],
  subject: Subject,
  batch: ModelBatch,
): Promise<Feeds> {
  const weights = await loadWeights(run, host, bindings, run.checkpoints.length - 1);
  return { ...batchFeeds(run, subject, batch, batch.labels), ...weights };
}

function batchFeeds(run: OpenRun, subject: Subject, batch: ModelBatch, labels: ArrayLike<number>): Feeds {
  const weights = new Float32Array(subject.batch).fill(1, 0, batch.indices.length);
  return {
    [run.input.name]: batch.inputs,
    [inputNames.labels]: labelTensor(subject, labels),
    [inputNames.weights]: { dtype: 'float32', dims: [subject.batch], data: weights },
  };
}

function labelTensor(subject: Subject, labels: ArrayLike<number>): Tensor {
  if (subject.loss === 'squared-error') {
    const dims = subject.types.get(subject.logits)!.dims;
    const data = new Float32Array(elementCount(dims));
    data.set(Array.from(labels));
    return { dtype: 'float32', dims, data };
  }
  const data = new BigInt64Array(subject.batch);
  // Examples without a label get class 0: only what doesn't depend on the label is read of them.
  for (let row = 0; row < labels.length; row++) data[row] = BigInt(Number.isNaN(labels[row]) ? 0 : labels[row]!);
  return { dtype: 'int64', dims: [subject.batch], data };
}

/** The batch size that the model was exported with, where it is fixed. */
function fixedBatch(input: ValueInfo): number | undefined {
  const first = input.dims?.[0];
  return typeof first === 'number' && first > 0 ? first : undefined;
}

async function affordableBatch(
  run: OpenRun,
  host: EngineHost,
  bindings: readonly Binding[],
  examples: ModelExamples,
): Promise<number> {
  const size = Math.min(4, examples.length);
  const { types, logits, sites } = await subjectOf(run, host, bindings, examples, size);
  // Patches, gradients and the per-example gradient of a site with several positions are values that only the taps add.
  let bytes = sites
    .filter((site) => site.positions > 1)
    .reduce(
      (sum, { positions, inputs, outputs }) => sum + 4 * (positions * (2 * inputs + outputs) + 2 * inputs * outputs),
      0,
    );
  for (const [name, { dtype, dims }] of types) {
    if (dtype === 'float32' && !run.model.graph.initializers.has(name)) bytes += (4 * elementCount(dims)) / size;
  }
  const passes = 3 + (types.get(logits)!.dims[1] ?? 1);
  return Math.max(1, Math.min(largestBatch, examples.length, Math.floor(batchBytes / (bytes * passes))));
}

function firstOf(examples: ModelExamples, count: number): number[] {
  return Array.from({ length: Math.min(count, examples.length) }, (_, index) => index);
}
