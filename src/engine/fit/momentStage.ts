import type { Marginals } from '../../attribution/adamScaling';
import { accumulate } from '../../curvature/ekfac';
import { momentGraph } from '../../curvature/instrument';
import { outputNames } from '../../curvature/subject';
import type { Tensor } from '../../onnx/runtime';
import { eigenvalueBytes } from '../memoryBudget';
import type { ModelExamples } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Store } from '../store';
import { CheckpointSums } from './checkpointSums';
import type { SitePart } from './siteParts';
import type { StageKeys } from './stageKeys';

/** One site's per-example training gradients g_i at one checkpoint: marginals of `E[g_i²]` and of `ḡ²`. */
export interface GradientMoments {
  readonly squares: Marginals;
  readonly mean: Marginals;
}

/** What Adam averages, from the gradients of the training set at each checkpoint: for runs that kept no second moments. */
export class MomentStage extends CheckpointSums<GradientMoments> {
  constructor(
    run: OpenRun,
    network: Network,
    train: ModelExamples,
    private readonly store: Store,
    private readonly keys: StageKeys,
  ) {
    super(run, network, train, 'gradients', 'Second moments', eigenvalueBytes);
  }

  protected async stored(checkpoint: number, site: number): Promise<GradientMoments | undefined> {
    const values = await this.store.get(await this.keys.moments(checkpoint, site));
    if (!values) return undefined;
    const marginals = (of: string): Marginals => ({
      rows: values.get(`rows of ${of}`)!.data as Float64Array,
      columns: values.get(`columns of ${of}`)!.data as Float64Array,
    });
    return { squares: marginals('squares'), mean: marginals('mean') };
  }

  protected async sum(checkpoint: number, part: SitePart, step: () => void): Promise<void> {
    const { subject, indices } = part;
    const session = await this.network.session(this.sessionName(part), subject, momentGraph);
    const weights = await this.network.weights(checkpoint);
    const sums = subject.sites.map(({ inputs, outputs }) => ({
      gradient: new Float64Array(outputs * inputs),
      rows: new Float64Array(outputs),
      columns: new Float64Array(inputs),
    }));
    for await (const batch of this.train.batches(subject.batch)) {
      const outputs = await runWith(session, { ...weights, ...this.network.batchFeeds(subject, batch) });
      sums.forEach(({ gradient, rows, columns }, site) => {
        accumulate(gradient, floats(outputs, outputNames.gradientSum(site)));
        accumulate(rows, floats(outputs, outputNames.squaredRows(site)));
        accumulate(columns, floats(outputs, outputNames.squaredColumns(site)));
      });
      step();
    }
    for (const [index, { gradient, rows, columns }] of sums.entries()) {
      const count = this.train.length;
      // Sums of squares over the other side and the examples become means over both.
      const squares = {
        rows: rows.map((sum) => sum / (count * columns.length)),
        columns: columns.map((sum) => sum / (count * rows.length)),
      };
      const mean = squaredMarginals(gradient, rows.length, columns.length, count);
      await this.store.put(await this.keys.moments(checkpoint, indices[index]!), tensorsOf({ squares, mean }));
    }
  }
}

/** Marginals of `(sum / count)²`. */
function squaredMarginals(sum: Float64Array, outputs: number, inputs: number, count: number): Marginals {
  const [rows, columns] = [new Float64Array(outputs), new Float64Array(inputs)];
  for (let row = 0; row < outputs; row++) {
    for (let column = 0; column < inputs; column++) {
      const square = (sum[row * inputs + column]! / count) ** 2;
      rows[row] = rows[row]! + square / inputs;
      columns[column] = columns[column]! + square / outputs;
    }
  }
  return { rows, columns };
}

function tensorsOf(moments: GradientMoments): Map<string, Tensor> {
  const vector = (data: Float64Array): Tensor => ({ dtype: 'float64', dims: [data.length], data });
  return new Map(
    (['squares', 'mean'] as const).flatMap((of) => [
      [`rows of ${of}`, vector(moments[of].rows)],
      [`columns of ${of}`, vector(moments[of].columns)],
    ]),
  );
}
