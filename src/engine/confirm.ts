import type { ModelBinding } from '../formats/bind';
import { encodeModel } from '../onnx/encode';
import type { Model } from '../onnx/graph';
import type { Feeds, Tensor } from '../onnx/runtime';
import { fixedBatch } from '../onnx/shape';
import { WhenceError } from '../protocol/errors';
import { type ModelExamples, range } from './examples';
import type { EngineHost } from './host';
import type { OpenRun } from './openRun';
import { loadWeights } from './weights';

const examples = 4;
/** Relative to the largest logit. */
const tolerance = 1e-4;

/**
 * Compares the graph's own logits on a few training examples with those that the bound weights of the checkpoint give it
 * that it was exported from, on the CPU. A graph of none of the checkpoints has nothing to be compared with.
 * @throws WhenceError `binding-failed` where they differ
 */
export async function confirmBinding(
  run: OpenRun,
  host: EngineHost,
  { bindings, exportedFrom }: ModelBinding,
  train: ModelExamples,
): Promise<void> {
  if (exportedFrom === undefined) return;
  const batch = fixedBatch(run.model) ?? Math.min(examples, train.length);
  const { inputs } = await train.batch(range(0, Math.min(batch, train.length)), batch);
  const data = { [run.input.name]: inputs };
  const own = await logitsOf(run.model, run.logits, host, data);
  const weights = await loadWeights(run, host, bindings, exportedFrom);
  const bound = await logitsOf(withInputs(run.model, weights), run.logits, host, { ...data, ...weights });
  const scale = own.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const error = own.reduce((largest, value, index) => Math.max(largest, Math.abs(value - bound[index]!)), 0);
  // Written so that NaN is a difference too.
  if (own.length === bound.length && error <= tolerance * scale) return;
  throw new WhenceError(
    'binding-failed',
    `With the weights of step ${run.checkpoints[exportedFrom]!.step}, which it was exported from, the model's output differs from its own by ${error.toPrecision(2)} of ${scale.toPrecision(2)}.`,
    {
      file: run.model.file,
      place: `output ${run.logits}`,
      mend: "Export the model again: torch.onnx.export(model.eval(), args, 'model.onnx', dynamo=True, optimize=False).",
    },
  );
}

/** The model with initializers as inputs instead. */
function withInputs(model: Model, weights: Feeds): Model {
  const { graph } = model;
  const inputs = Object.entries(weights).map(([name, { dtype, dims }]) => ({ name, dtype, dims }));
  const initializers = new Map([...graph.initializers].filter(([name]) => !(name in weights)));
  return { ...model, graph: { ...graph, inputs: [...graph.inputs, ...inputs], initializers } };
}

async function logitsOf(model: Model, logits: string, host: EngineHost, feeds: Feeds): Promise<Float32Array> {
  const session = await host.cpu.createSession(encodeModel(model), { cpu: true });
  try {
    return valuesOf((await session.run(feeds, [logits]))[logits]!);
  } finally {
    await session.release();
  }
}

function valuesOf({ data }: Tensor): Float32Array {
  return data instanceof Float32Array ? data : Float32Array.from(data as Float64Array);
}
