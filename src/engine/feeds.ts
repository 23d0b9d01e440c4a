import { positionInputs } from '../curvature/positions';
import type { Site } from '../curvature/site';
import { inputNames, type Subject, scaledWeights } from '../curvature/subject';
import { elementCount } from '../formats/tensor';
import type { Feeds, Session, Tensor } from '../onnx/runtime';
import type { ModelBatch } from './examples';

/** What a batch feeds: inputs, labels, and a weight of 1 for each example and 0 for each padding row. */
export function batchFeeds(input: string, subject: Subject, batch: ModelBatch, labels: ArrayLike<number>): Feeds {
  const weights = new Float32Array(subject.batch).fill(1, 0, batch.indices.length);
  return {
    [input]: batch.inputs,
    [inputNames.labels]: labelTensor(subject, labels),
    [inputNames.weights]: { dtype: 'float32', dims: [subject.batch], data: weights },
  };
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

/** Runs a session with those of the feeds that it knows. */
export function runWith(session: Session, feeds: Feeds): Promise<Record<string, Tensor>> {
  const known = new Set(session.inputs);
  return session.run(Object.fromEntries(Object.entries(feeds).filter(([name]) => known.has(name))));
}

/** A float32 output by name. */
export function floats(outputs: Record<string, Tensor>, name: string): Float32Array {
  return outputs[name]!.data as Float32Array;
}
