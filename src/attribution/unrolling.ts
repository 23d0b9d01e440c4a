/** Optimizers' steps and their exact reverse derivatives, elementwise over one parameter's values. */

/** What an optimizer does the same at every step. */
export interface UnrolledOptimizer {
  readonly kind: 'sgd' | 'adam' | 'adamw';
  readonly momentum: number;
  readonly nesterov: boolean;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
}

/** One parameter's step: its learning rate, its weight decay, and the step's number from 1. */
export interface StepSettings {
  readonly rate: number;
  readonly decay: number;
  readonly count: number;
}

/** One parameter's weights and running averages; `square` is Adam's. */
export interface ParameterState {
  readonly weights: Float64Array;
  readonly momentum: Float64Array;
  readonly square: Float64Array;
}

/** What the reverse of one of Adam's steps needs of the way there: the gradient, decay included, and the averages after it. */
export interface AdamRecord {
  readonly gradient: Float64Array;
  readonly momentum: Float64Array;
  readonly square: Float64Array;
}

export function emptyState(weights: Float64Array): ParameterState {
  return { weights, momentum: new Float64Array(weights.length), square: new Float64Array(weights.length) };
}

/**
 * One step in place, as torch.optim's SGD (no dampening), Adam (no amsgrad) and AdamW take it.
 * @param gradient of the batch's mean loss
 * @returns what the way back needs; of SGD, whose step is linear in all but the gradient, nothing
 */
export function takeStep(
  { kind, momentum, nesterov, betas, epsilon }: UnrolledOptimizer,
  { rate, decay, count }: StepSettings,
  { weights, momentum: average, square }: ParameterState,
  gradient: Float64Array,
): AdamRecord | undefined {
  if (kind === 'sgd') {
    for (let i = 0; i < weights.length; i++) {
      const g = gradient[i]! + decay * weights[i]!;
      average[i] = momentum * average[i]! + g;
      weights[i] = weights[i]! - rate * (nesterov ? g + momentum * average[i]! : average[i]!);
    }
    return undefined;
  }
  const [first, second] = betas;
  const [left, leftSquare] = [1 - first ** count, 1 - second ** count];
  const whole = new Float64Array(weights.length);
  for (let i = 0; i < weights.length; i++) {
    const g = gradient[i]! + (kind === 'adam' ? decay * weights[i]! : 0);
    whole[i] = g;
    average[i] = first * average[i]! + (1 - first) * g;
    square[i] = second * square[i]! + (1 - second) * g * g;
    const kept = kind === 'adamw' ? 1 - rate * decay : 1;
    weights[i] = kept * weights[i]! - (rate * (average[i]! / left)) / (Math.sqrt(square[i]! / leftSquare) + epsilon);
  }
  return { gradient: whole, momentum: average.slice(), square: square.slice() };
}

/**
 * The reverse of `takeStep`, in place: from derivatives of the measurement in the state after the step to those in the state
 * before it, except for what reaches the weights through the batch's gradient: `H` times the answer is still to be added.
 *
 * @param adjoint derivatives in weights and running averages
 * @returns derivative in the batch's gradient
 */
export function stepBack(
  { kind, momentum, nesterov, betas, epsilon }: UnrolledOptimizer,
  { rate, decay, count }: StepSettings,
  adjoint: ParameterState,
  record: AdamRecord | undefined,
): Float64Array {
  const { weights, momentum: average, square } = adjoint;
  const result = new Float64Array(weights.length);
  if (kind === 'sgd' || !record) {
    for (let i = 0; i < weights.length; i++) {
      const moved = -rate * weights[i]!;
      const inAverage = average[i]! + (nesterov ? momentum * moved : moved);
      result[i] = inAverage + (nesterov ? moved : 0);
      average[i] = momentum * inAverage;
      weights[i] = weights[i]! + decay * result[i]!;
    }
    return result;
  }
  const [first, second] = betas;
  const [left, leftSquare] = [1 - first ** count, 1 - second ** count];
  for (let i = 0; i < weights.length; i++) {
    const root = Math.sqrt(record.square[i]! / leftSquare);
    const divisor = root + epsilon;
    const moved = -rate * weights[i]!;
    const inAverage = average[i]! + moved / (divisor * left);
    // A weight that never had a gradient has none of its root either.
    const ofRoot = root > 0 ? (-moved * (record.momentum[i]! / left)) / (divisor * divisor * 2 * root * leftSquare) : 0;
    const inSquare = square[i]! + ofRoot;
    result[i] = (1 - first) * inAverage + 2 * (1 - second) * record.gradient[i]! * inSquare;
    average[i] = first * inAverage;
    square[i] = second * inSquare;
    weights[i] = (kind === 'adamw' ? 1 - rate * decay : 1) * weights[i]! + (kind === 'adam' ? decay * result[i]! : 0);
  }
  return result;
}
