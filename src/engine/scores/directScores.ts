import { methods } from '../../attribution/methods';
import { WhenceError } from '../../protocol/errors';
import type { DirectMethodName } from '../../protocol/model';
import type { EngineHost } from '../host';
import type { ModelExamples } from '../network/examples';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Task } from '../task';
import { ExactUnrolling } from '../unrolling/exactUnrolling';
import type { Attribution } from './attribute';
import { GradientCosine } from './gradientCosine';
import type { AskedQueries } from './queryGradients';
import { RepresentationSimilarity } from './representationSimilarity';
import { Trak } from './trak';

export interface AskedScores extends AskedQueries {
  readonly queries: ModelExamples;
}

/** A method without segments on a run. */
export interface DirectScorer {
  /** [queries, examples], positive for proponents. */
  score(asked: AskedScores, task: Task): Promise<Float32Array>;
  /** Each example's score of its own loss, [examples]; where that tells anything. */
  readonly selfInfluence?: (task: Task) => Promise<Float64Array>;
}

export type DirectScorers = Readonly<Record<DirectMethodName, DirectScorer>>;

/** Every direct method on one run; what they share with the methods of segments is in `attribution`. */
export function directScorers(
  run: OpenRun,
  host: EngineHost,
  network: Network,
  train: ModelExamples,
  attribution: Attribution,
): DirectScorers {
  return {
    trak: new Trak(run, host, network, train),
    'gradient-cosine': new GradientCosine(run, network, attribution),
    'representation-similarity': new RepresentationSimilarity(run, network, train),
    'exact-unrolling': new ExactUnrolling(run, host, network, train),
  };
}

/** Self-influence by a direct method; `bad-argument` where it says nothing. */
export async function ownScores(method: DirectMethodName, scorer: DirectScorer, task: Task): Promise<Float64Array> {
  if (methods[method].tellsOwn && scorer.selfInfluence) return scorer.selfInfluence(task);
  throw new WhenceError(
    'bad-argument',
    `By ${method}, every example has the same influence on itself, or none that can be had.`,
    {
      mend: 'Choose source, influence-functions, tracin, gradient-dot or trak.',
    },
  );
}
