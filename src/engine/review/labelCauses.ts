import { type Predictions, softmax } from '../network/predictions';

/** Labels that mean other classes than the model's outputs do: label `l` is the model's class `order[l]`. */
export interface LabelCause {
  /** The beginning of a sentence. */
  readonly cause: string;
  readonly order: readonly number[];
  readonly accuracy: number;
}

/** Examples of a label below which it is not told which class it is. */
const fewest = 2;
const needed = 0.3;

/**
 * What of a classifier's labels would be the matter if its predictions of training examples are right: they count from
 * another number, or the classes stand in another order. Undefined where neither makes most of them right.
 */
export function labelCause({ outputs, logits }: Predictions, labels: Float64Array): LabelCause | undefined {
  if (outputs < 2) return undefined;
  const predicted = Array.from(labels, (_, row) => {
    const own = softmax(logits.subarray(row * outputs, (row + 1) * outputs));
    return own.indexOf(Math.max(...own));
  });
  const accuracyOf = (order: (label: number) => number | undefined) =>
    predicted.filter((one, row) => order(labels[row]!) === one).length / labels.length;
  const plain = accuracyOf((label) => label);
  const better = (accuracy: number) => accuracy >= 0.5 && accuracy >= plain + needed;
  for (const shift of [-1, 1]) {
    const order = Array.from({ length: outputs }, (_, label) => (label + shift + outputs) % outputs);
    const accuracy = accuracyOf((label) => order[label]);
    if (!better(accuracy)) continue;
    const where = shift < 0 ? 'one too high' : 'one too low';
    return {
      cause: `The labels are ${where}: they are counted from another class than the model's first`,
      order,
      accuracy,
    };
  }
  const order = mostFrequent(predicted, labels, outputs);
  if (!order) return undefined;
  const accuracy = accuracyOf((label) => order[label]);
  if (!better(accuracy)) return undefined;
  const moved = order.findIndex((own, label) => own !== label);
  const example = `label ${moved} is the model's class ${order[moved]}`;
  return { cause: `The classes stand in another order: ${example}`, order, accuracy };
}

/** The class that the model sees most often in each label, where no two labels share one; labels not tried keep theirs if free. */
function mostFrequent(predicted: readonly number[], labels: Float64Array, classes: number): number[] | undefined {
  const counts = Array.from({ length: classes }, () => new Int32Array(classes));
  predicted.forEach((one, row) => {
    const own = counts[labels[row]!];
    if (own) own[one]!++;
  });
  const order = counts.map((own) => {
    const most = own.indexOf(Math.max(...own));
    return own[most]! >= fewest ? most : -1;
  });
  const taken = order.filter((one) => one >= 0);
  if (new Set(taken).size < taken.length) return undefined;
  const free = Array.from({ length: classes }, (_, one) => one).filter((one) => !taken.includes(one));
  return order.map((one) => (one >= 0 ? one : free.shift()!));
}
