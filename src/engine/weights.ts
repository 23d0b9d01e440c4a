import { type Binding, bindWeights } from '../formats/bind';
import { openCheckpoint } from '../formats/checkpoints';
import { formatDims, readFloat32 } from '../formats/tensor';
import type { Feeds, Tensor } from '../onnx/runtime';
import { WhenceError } from '../protocol/errors';
import type { EngineHost } from './host';
import type { OpenRun } from './openRun';

/** Which tensor of a checkpoint fills which weight of the graph, found with the last checkpoint. */
export async function bind(run: OpenRun, host: EngineHost): Promise<readonly Binding[]> {
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

/** A checkpoint's tensors as inputs of the graph; refuses what is missing, misshapen or not finite. */
export async function loadWeights(
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
