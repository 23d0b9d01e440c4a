import { positionInputs } from '../../curvature/positions';
import type { Site } from '../../curvature/site';
import { inputNames, labelsType, type Subject, scaledWeights } from '../../curvature/subject';
import { elementCount } from '../../formats/tensor';
import type { Feeds, Session, Tensor } from '../../onnx/runtime';
import type { ModelBatch } from './examples';

/**
 * What a batch feeds: inputs, labels, a weight of 1 for each example and 0 for each padding row, the mask of tokens.
 * @param token the one place whose label counts
 */
export function batchFeeds(subject: Subject, batch: ModelBatch, labels: ArrayLike<number>, token?: number): Feeds {
  const weights = new Float32Array(subject.batch).fill(1, 0, batch.indices.length);
  return {
    ...batch.inputs,
    ...(batch.mask ? { [positionInputs.mask]: batch.mask } : {}),
    [inputNames.labels]: batch.tokenLabels
      ? tokenLabels(subject, batch.tokenLabels, token)
      : labelTensor(subject, labels),
    [inputNames.weights]: { dtype: 'float32', dims: [subject.batch], data: weights },
  };
}

function tokenLabels(subject: Subject, labels: Int32Array, token: number | undefined): Tensor {
  const { dims } = labelsType(subject);
  const tokens = dims[1]!;
  const counts = (at: number) => token === undefined || at % tokens === token;
  const data = BigInt64Array.from(labels, (label, at) => BigInt(counts(at) ? label : -1));
  return { dtype: 'int64', dims, data };
}

/** Scales of folded normalisations as inputs of the graphs whose sites need them. */
export function scaleFeeds(sites: readonly Site[], scales: ReadonlyMap<string, Float32Array>): Feeds {
  const widths = scaledWeights(sites);
  return Object.fromEntries(
    [...widths].map(([weight, width]) => [
      positionInputs.scale(weight),
      { dtype: 'float32' as const, dims: [width], data: scales.get(weight)! },
    ]),
  );
}

function labelTensor(subject: Subject, labels: ArrayLike<number>): Tensor {
  const { dtype, dims } = labelsType(subject);
  if (dtype !== 'int64') {
    const data = new Float32Array(elementCount(dims));
    data.set(Array.from(labels));
    return { dtype: 'float32', dims, data };
  }
  const data = new BigInt64Array(elementCount(dims));
  // Examples without a label get class 0: only what doesn't depend on the label is read of them.
  for (let row = 0; row < labels.length; row++) data[row] = BigInt(Number.isNaN(labels[row]) ? 0 : labels[row]!);
  return { dtype, dims, data };
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
