import type { StepSettings } from '../../attribution/unrolling';
import type { Binding } from '../../formats/bind';
import type { Expression } from '../../formats/binding/expression';
import { isStatistic } from '../../formats/binding/names';
import { WhenceError } from '../../protocol/errors';
import type { OpenRun } from '../run/openRun';
import { settingsOf } from '../run/trajectory';

/** A weight of the graph that is a tensor of the checkpoints, as training moved it. */
export interface Parameter {
  readonly initializer: string;
  readonly tensor: string;
}

/**
 * The parameters that training moved. An optimizer works element by element, so a weight may be its tensor's in another order;
 * what is made of several or is in two places is not the weight that training moved.
 * @throws WhenceError `unsupported-op` naming the weight and the reason
 */
export function parametersOf(run: OpenRun, bindings: readonly Binding[]): readonly Parameter[] {
  const parameters = bindings.map(({ initializer, value }) => ({ initializer, tensor: tensorOf(value) }));
  for (const { initializer, tensor } of parameters) {
    if (tensor === undefined)
      throw refused(run, `The weight ${initializer} is made of several tensors of the checkpoint`);
    if (isStatistic(tensor)) throw refused(run, `${tensor} is a statistic of the batches, as of a batch normalisation`);
    if (parameters.filter((other) => other.tensor === tensor).length > 1)
      throw refused(run, `${tensor} fills two weights of the graph`);
  }
  return parameters.map(({ initializer, tensor }) => ({ initializer, tensor: tensor! }));
}

/** The tensor that an expression has the very elements of, in whatever order. */
function tensorOf(value: Expression): string | undefined {
  if (value.kind === 'tensor') return value.name;
  if (value.kind === 'reshape' || value.kind === 'transpose' || value.kind === 'gates') return tensorOf(value.of);
  return undefined;
}

/** A parameter's settings at update `step`, counted from 0. */
export function stepSettings({ optimizer, totalLearningRate }: OpenRun, tensor: string, step: number): StepSettings {
  const { learningRateScale, weightDecay } = settingsOf(optimizer, tensor);
  return { rate: learningRateScale * totalLearningRate(step, step + 1), decay: weightDecay, count: step + 1 };
}

export function refused(run: OpenRun, reason: string): WhenceError {
  return new WhenceError('unsupported-op', `${reason}: training cannot be replayed exactly.`, {
    file: run.path,
    place: 'unrolling',
    mend: 'Choose the method source, which approximates it.',
  });
}
