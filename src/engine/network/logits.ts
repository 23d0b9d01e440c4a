import { checkLabels } from '../../formats/datasets';
import { formatDims } from '../../formats/tensor';
import { GraphBuilder } from '../../onnx/builder';
import type { TypedModel } from '../../onnx/lowering';
import { WhenceError } from '../../protocol/errors';
import type { LossKind } from '../../protocol/model';
import type { OpenRun } from '../run/openRun';
import { isPerToken } from '../run/splits';

/** A typed model whose logits have an axis of outputs: of a model that returns one number an example, [batch] becomes [batch, 1]. */
export function withColumn({ model, types }: TypedModel, logits: string): TypedModel & { readonly logits: string } {
  if (types.get(logits)!.dims.length !== 1) return { model, types, logits };
  const builder = new GraphBuilder(model, types);
  const column = builder.unsqueeze(logits, [1]);
  const { nodes, initializers, opset } = builder;
  const graph = { ...model.graph, nodes, initializers };
  return {
    model: { ...model, opsets: new Map([...model.opsets, ['', opset]]), graph },
    types: builder.types,
    logits: column,
  };
}

/**
 * Refuses logits that do not go with the loss or the data's classes.
 * @param dims what the model returns for `batch` examples
 */
export function checkLogits(run: OpenRun, dims: readonly number[], batch: number): void {
  const { loss, splits, classes } = run;
  const perToken = isPerToken(splits, loss);
  const outputs = dims.at(-1)!;
  // A label is one number, so a regression has one output.
  const width = isOneOutput(loss) ? outputs === 1 : loss === 'custom' || outputs >= 2;
  const details = { file: run.model.file, place: `output ${run.logits}` };
  if (dims.length !== (perToken ? 3 : 2) || dims[0] !== batch || !width) {
    throw new WhenceError(
      'shape-mismatch',
      `The output ${run.logits} has the shape ${formatDims(dims)} for ${batch} examples; ${loss} wants ${wanted(loss, perToken)}.`,
      {
        ...details,
        mend: 'Export the model so that it returns logits, one row an example, or set "loss" in whence.json.',
      },
    );
  }
  if (isOneOutput(loss) || loss === 'custom') return;
  if (perToken) {
    checkTokens(run, dims);
    return;
  }
  // The model's file may leave its outputs' width open: only here is it known for certain.
  for (const split of splits.values()) checkLabels(split, outputs);
  if (outputs < classes.length) {
    throw new WhenceError(
      'shape-mismatch',
      `The model has ${outputs} outputs, but the data ${classes.length} classes.`,
      { ...details, mend: 'Use the model that was trained on this data.' },
    );
  }
}

/** Losses of one number an example. */
export function isOneOutput(loss: LossKind): boolean {
  return loss === 'squared-error' || loss === 'absolute-error' || loss === 'binary-cross-entropy';
}

function wanted(loss: LossKind, perToken: boolean): string {
  if (perToken) return '[batch, tokens, classes]';
  return isOneOutput(loss) ? '[batch, 1]' : '[batch, classes]';
}

function checkTokens({ splits, loss, model }: OpenRun, dims: readonly number[]): void {
  for (const split of splits.values()) {
    const name = split.tokenLabels ?? split.arrays?.[0]?.name;
    const labels = split.arrays?.find((array) => array.name === name);
    const at = labels?.values.findIndex((label) => label >= dims[2]!) ?? -1;
    if (!labels || at < 0) continue;
    const index = Math.floor(at / labels.dims[0]!);
    const { line } = split.locate(index);
    throw new WhenceError(
      'label-out-of-range',
      `The token ${labels.values[at]} of example ${index} is beyond the ${dims[2]} outputs of the model; ${loss} counts from 0.`,
      {
        file: split.files[0]!,
        place: line === undefined ? `example ${index}` : `line ${line}`,
        mend: `Use the tokenizer that ${model.file} was trained with.`,
      },
    );
  }
}
