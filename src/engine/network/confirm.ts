import type { ModelBinding } from '../../formats/bind';
import { sameValues } from '../../formats/binding/values';
import { toFloat32 } from '../../formats/tensor';
import { encodeModel } from '../../onnx/encode';
import type { Feeds, Tensor } from '../../onnx/runtime';
import { fixedBatch, probeTypes } from '../../onnx/shape';
import { withInputs } from '../../onnx/weightInputs';
import { WhenceError } from '../../protocol/errors';
import type { EngineHost } from '../host';
import { ofModel } from '../run/modelErrors';
import type { OpenRun } from '../run/openRun';
import { type ModelExamples, range } from './examples';
import { weightNames } from './frozen';

const examples = 4;
/** Relative to the largest logit. */
const tolerance = 1e-4;

/**
 * Compares the graph's own logits on a few training examples with those that the bound weights of the checkpoint give it
 * that it was exported from, on the CPU. A graph of none of the checkpoints has nothing to be compared with.
 * @param weights of that checkpoint, by `bindings`
 * @throws WhenceError `binding-failed` where they differ
 */
export async function confirmBinding(
  run: OpenRun,
  host: EngineHost,
  { bindings, exportedFrom }: ModelBinding,
  train: ModelExamples,
  weights: Feeds,
): Promise<void> {
  if (exportedFrom === undefined) return;
  const data = await firstExamples(run, train);
  const others = await ownWeights(run, weights);
  const [own, bound] = await logitsOf(run, host, weightNames(run, bindings), [
    { ...data, ...weights, ...others },
    { ...data, ...weights },
  ]).catch((error: unknown) => {
    throw ofModel(error, run.model.file);
  });
  const scale = own!.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  const error = own!.reduce((largest, value, index) => Math.max(largest, Math.abs(value - bound![index]!)), 0);
  // Written so that NaN is a difference too.
  if (own!.length === bound!.length && error <= tolerance * scale) return;
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

/** Runs the model on a few examples where a crash of the runtime harms nothing. */
export async function tryModel(run: OpenRun, host: EngineHost, train: ModelExamples): Promise<void> {
  if (host.tryGraph) await host.tryGraph(run.model, await firstExamples(run, train));
}

async function firstExamples(run: OpenRun, train: ModelExamples): Promise<Feeds> {
  const batch = fixedBatch(run.model) ?? Math.min(examples, train.length);
  return (await train.batch(range(0, Math.min(batch, train.length)), batch)).inputs;
}

/** The graph's own weights, those left out that equal the given ones bit by bit: big models are not held in memory twice. */
async function ownWeights(run: OpenRun, weights: Feeds): Promise<Feeds> {
  const others: Record<string, Tensor> = {};
  for (const [name, given] of Object.entries(weights)) {
    const initializer = run.model.graph.initializers.get(name);
    if (!initializer) continue;
    const own = await run.readInitializer(initializer);
    if (!sameValues(toFloat32(own), toFloat32(given))) others[name] = own;
  }
  return others;
}

/** Logits that one session gives with each of several feeds. */
async function logitsOf(
  run: OpenRun,
  host: EngineHost,
  weights: ReadonlySet<string>,
  feeds: readonly Feeds[],
): Promise<readonly Float32Array[]> {
  // Refuses a graph that would fill the memory, before anything of it is computed.
  await probeTypes(run.model, host.cpu, feeds[0]!, weights);
  const session = await host.cpu.createSession(encodeModel(withInputs(run.model, weights)), { cpu: true });
  try {
    const logits: Float32Array[] = [];
    for (const one of feeds) logits.push(toFloat32((await session.run(one, [run.logits]))[run.logits]!));
    return logits;
  } finally {
    await session.release();
  }
}
