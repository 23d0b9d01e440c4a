import { type Binding, bindModel, type CheckpointSeries, type ModelBinding } from '../../formats/bind';
import { apply, outputScale, type ReadValues } from '../../formats/binding/apply';
import { arrangement, layerTensorsOf } from '../../formats/binding/expression';
import type { Files } from '../../formats/bytes';
import { openCheckpoint } from '../../formats/checkpoints';
import { formatDims, readFloat32, type TensorRef } from '../../formats/tensor';
import type { Feeds, Tensor } from '../../onnx/runtime';
import { WhenceError } from '../../protocol/errors';
import type { Checkpoint, Problem } from '../../protocol/model';
import type { EngineHost } from '../host';
import type { OpenRun } from '../run/openRun';

/** Which tensors of a checkpoint fill which weight of the graph, found with the checkpoint that the graph was exported from. */
export async function bind(run: OpenRun, host: EngineHost): Promise<ModelBinding> {
  const bound = await bindModel(run.model, seriesOf(run.checkpoints, host.files), run.readInitializer);
  for (const { initializer } of bound.bindings) {
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
  return bound;
}

export function seriesOf(checkpoints: readonly Pick<Checkpoint, 'file'>[], files: Files): CheckpointSeries {
  return {
    length: checkpoints.length,
    tensors: async (index) => (await openCheckpoint(await files.open(checkpoints[index]!.file), files)).tensors,
  };
}

/** What a user should know of how a run's model and checkpoints were put together. */
export function bindingProblems({ model, checkpoints }: OpenRun, { exportedFrom, unused }: ModelBinding): Problem[] {
  const file = model.file;
  const problems: Problem[] = [];
  if (exportedFrom === undefined) {
    const message = 'The model holds the weights of none of the checkpoints; they were put together by their names.';
    const mend = 'Check that both are of the same network, or export the model again from the last checkpoint.';
    problems.push({ severity: 'warning', message, file, mend });
  } else if (exportedFrom < checkpoints.length - 1) {
    const message = `The model was exported from step ${checkpoints[exportedFrom]!.step}, not from the last checkpoint.`;
    problems.push({ severity: 'info', message, file });
  }
  if (unused.length > 0) {
    const message = `The model does not use ${unused.slice(0, 4).join(', ')}${unused.length > 4 ? ` and ${unused.length - 4} more` : ''} of the checkpoints.`;
    problems.push({ severity: 'info', message, file });
  }
  return problems;
}

/**
 * A checkpoint's tensors, and the weights that no checkpoint holds, as inputs of the graph; refuses what is missing,
 * misshapen or not finite.
 */
export async function loadWeights(
  run: OpenRun,
  host: EngineHost,
  bindings: readonly Binding[],
  checkpoint: number,
): Promise<Feeds> {
  const read = await readerAt(run, host, checkpoint);
  const feeds: Record<string, Tensor> = {};
  for (const { initializer, value } of bindings) {
    const { dims } = run.model.graph.initializers.get(initializer)!;
    feeds[initializer] = { dtype: 'float32', dims, data: await apply(value, read) };
  }
  for (const initializer of run.frozen) feeds[initializer.name] = await run.readInitializer(initializer);
  return feeds;
}

/**
 * The scale s [outputs] of every weight that a normalisation is folded into, by its initializer, at a checkpoint. A site's
 * pre-activation gradients times s are in the coordinates of the checkpoint's own weight and bias, which training moved.
 */
export async function loadOutputScales(
  run: OpenRun,
  host: EngineHost,
  bindings: readonly Binding[],
  checkpoint: number,
): Promise<ReadonlyMap<string, Float32Array>> {
  const scales = new Map<string, Float32Array>();
  if (!bindings.some(({ value }) => value.kind === 'folded-weight')) return scales;
  const read = await readerAt(run, host, checkpoint);
  for (const { initializer, value } of bindings) {
    const scale = await outputScale(value, read);
    if (scale) scales.set(initializer, scale);
  }
  return scales;
}

/**
 * Numbers that training kept for each element of its parameters, second moments for one, as values of the graph's weights: by the
 * way that the parameters themselves take into the graph, without what is computed with them on it. Weights that have none
 * are missing.
 */
export async function loadCompanions(
  run: OpenRun,
  bindings: readonly Binding[],
  tensors: ReadonlyMap<string, TensorRef>,
): Promise<Feeds> {
  const feeds: Record<string, Tensor> = {};
  const read: ReadValues = (name) => readFloat32(tensors.get(name)!);
  for (const { initializer, value } of bindings) {
    const moved = arrangement(value);
    if (!moved || !layerTensorsOf(moved).every((name) => tensors.has(name))) continue;
    const { dims } = run.model.graph.initializers.get(initializer)!;
    feeds[initializer] = { dtype: 'float32', dims, data: await apply(moved, read) };
  }
  return feeds;
}

/** The mean over several checkpoints of what each feeds; what is not float32 is of the last. */
export async function meanWeights(
  checkpoints: readonly number[],
  weights: (checkpoint: number) => Promise<Feeds>,
): Promise<Feeds> {
  const sums = new Map<string, Float64Array>();
  let last: Feeds = {};
  for (const checkpoint of checkpoints) {
    last = await weights(checkpoint);
    for (const [name, { dtype, data }] of Object.entries(last)) {
      if (dtype !== 'float32') continue;
      const sum = sums.get(name) ?? new Float64Array(data.length);
      for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + Number(data[i]) / checkpoints.length;
      sums.set(name, sum);
    }
  }
  const means = Object.entries(last).map(([name, tensor]): [string, Tensor] => {
    const sum = sums.get(name);
    return [name, sum ? { dtype: 'float32', dims: tensor.dims, data: Float32Array.from(sum) } : tensor];
  });
  return Object.fromEntries(means);
}

async function readerAt(run: OpenRun, host: EngineHost, checkpoint: number): Promise<ReadValues> {
  const { file } = run.checkpoints[checkpoint]!;
  const { tensors } = await openCheckpoint(await host.files.open(file), host.files);
  return (name, dims) => {
    const ref = tensors.get(name);
    if (ref?.dims.join() === dims.join()) return readFloat32(ref);
    const found = ref ? `has the shape ${formatDims(ref.dims)}` : 'is missing';
    throw new WhenceError('binding-failed', `The tensor ${name} ${found}; the model wants ${formatDims(dims)}.`, {
      file,
      place: `tensor ${name}`,
      mend: 'Use checkpoints and model.onnx of the same run.',
    });
  };
}
