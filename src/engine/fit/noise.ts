import { inputNames, type Subject } from '../../curvature/subject';
import type { Feeds } from '../../onnx/runtime';
import type { OpenRun } from '../run/openRun';
import { drawNoise } from './draws';

/** A batch's draws of the sampled Fisher as a graph input: the same for an example wherever it is visited at a checkpoint. */
export function fisherNoise(run: OpenRun, subject: Subject, checkpoint: number, indices: readonly number[]): Feeds {
  if (run.fisher !== 'sampled') return {};
  const { step } = run.checkpoints[checkpoint]!;
  const dims = subject.types.get(subject.logits)!.dims.slice(0, -1);
  const data = drawNoise(run.config.seed ?? 0, step, indices, dims);
  return { [inputNames.noise]: { dtype: 'float32', dims, data } };
}
