import { inputNames, type LossOptions } from '../../curvature/subject';
import type { Files } from '../../formats/bytes';
import { resolvePath } from '../../formats/datasets';
import { decodeModel } from '../../onnx/decode';
import type { Initializer, Model, Node, ValueInfo } from '../../onnx/graph';
import { WhenceError } from '../../protocol/errors';
import type { RunConfig } from '../config/config';
import { lossOf } from '../config/lossConfig';
import type { RunModel } from './runModel';

/** A model with the user's loss behind it. */
export interface ModelWithLoss {
  readonly model: Model;
  /** The input that labels fill. */
  readonly target: ValueInfo;
  /** Names the value [batch] of per-example losses. */
  readonly options: LossOptions;
}

/** The graph of a custom loss, by its path; none for the others. */
export function lossFiles(config: RunConfig, folder: string, files: Files): string[] {
  const { model } = lossOf(config.loss);
  return model === undefined ? [] : [resolvePath(folder, model, files)];
}

/** A run's model with its custom loss; undefined where the loss is none. */
export async function customLossOf(config: RunConfig, folder: string, { model, logits }: RunModel, files: Files) {
  const { kind } = lossOf(config.loss);
  const [path] = lossFiles(config, folder, files);
  if (kind !== 'custom') return undefined;
  if (path !== undefined) return withCustomLoss(model, logits, path, files);
  throw new WhenceError('config-invalid', 'A custom loss needs its graph.', {
    file: model.file,
    place: 'loss.model',
    mend: 'Add "model": "loss.onnx" to "loss" in whence.json.',
  });
}

/**
 * Puts a loss graph (logits, target) -> per-example losses behind a model: the first input of the graph is the one called
 * `logits`, else the first; the other one is the target.
 * @throws WhenceError `malformed-file` where the graph has not two inputs and one output, or another opset
 */
async function withCustomLoss(model: Model, logits: string, path: string, files: Files): Promise<ModelWithLoss> {
  const source = await files.open(path);
  const { graph, opsets } = decodeModel(await source.read(0, source.size), path);
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name));
  const [output] = graph.outputs;
  const first = inputs.find(({ name }) => name === 'logits') ?? inputs[0];
  const target = inputs.find((input) => input !== first);
  const fail = (message: string, mend: string) => new WhenceError('malformed-file', message, { file: path, mend });
  if (!first || !target || inputs.length !== 2 || graph.outputs.length !== 1 || !output) {
    throw fail(
      `A loss has the inputs logits and target and one output; this graph has ${inputs.length} and ${graph.outputs.length}.`,
      "Export it with torch.onnx.export(loss, (logits, target), 'loss.onnx', input_names=['logits', 'target']).",
    );
  }
  for (const [domain, version] of opsets) {
    const own = model.opsets.get(domain);
    if (own === undefined || own === version) continue;
    throw fail(
      `The loss is of opset ${version}, the model of opset ${own}.`,
      'Export both with the same opset_version.',
    );
  }
  const renamed = (name: string) => {
    if (name === '') return name;
    if (name === first.name) return logits;
    return name === target.name ? inputNames.labels : `whence/loss/${name}`;
  };
  const nodes = graph.nodes.map(
    (node): Node => ({
      ...node,
      name: `whence/loss/${node.name}`,
      inputs: node.inputs.map(renamed),
      outputs: node.outputs.map(renamed),
    }),
  );
  const initializers = [...graph.initializers.values()].map((one): [string, Initializer] => [
    renamed(one.name),
    { ...one, name: renamed(one.name) },
  ]);
  const labels = { ...target, name: inputNames.labels };
  return {
    target: labels,
    options: { losses: renamed(output.name) },
    model: {
      ...model,
      opsets: new Map([...opsets, ...model.opsets]),
      graph: {
        ...model.graph,
        inputs: [...model.graph.inputs, labels],
        initializers: new Map([...model.graph.initializers, ...initializers]),
        nodes: [...model.graph.nodes, ...nodes],
      },
    },
  };
}
