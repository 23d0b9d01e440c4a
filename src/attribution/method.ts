import type { Decay } from '../curvature/ekfac';
import type { DirectMethodName, Segment, SegmentedMethodName } from '../protocol/model';

/**
 * A scalar function of curvature applied to one site's eigenvalues Λ, [outputs, inputs] in and out. `decay` is what weight decay
 * adds to them, where the segment is in the optimizer's dynamics.
 */
export type MatrixFunction = (eigenvalues: Float32Array, decay?: Decay) => Float32Array;

/**
 * One step of a method, in the order of training. Evaluated from the last to the first:
 * `u = respond q; τ += scale · mean over checkpoints of <u, g_m>; q = propagate q`.
 */
export interface MethodSegment {
  /** The checkpoints (indices) whose per-example training gradients are averaged. */
  readonly checkpoints: readonly number[];
  /** The checkpoints that the EK-FAC curvature is averaged over; none: the identity takes its place. */
  readonly curvature: readonly number[];
  /** Whether training's own dynamics are meant: the curvature in the optimizer's coordinates (Adam's, parameter groups'), with weight decay. */
  readonly dynamics?: boolean;
  /**
   * Instead of `propagate`: what becomes of the query element by element, in the parameters' own coordinates, as functions of an
   * element's optimizer step times its curvature. What is `lost` goes on to `respond`, what is `left` to the segment before.
   */
  readonly elements?: { lost(rate: number): number; left(rate: number): number };
  readonly respond: MatrixFunction;
  /** Absent: this segment hands the query on as it is. */
  readonly propagate?: MatrixFunction;
  /** Take the query's gradient anew at this checkpoint, instead of the one handed on. */
  readonly queryCheckpoint?: number;
  readonly scale: number;
}

/** What a method is told about the run. */
export interface RunFacts {
  readonly segments: readonly Segment[];
  readonly checkpoints: number;
  /** Learning rate at each checkpoint. */
  readonly learningRates: readonly number[];
  /** N: training examples of the stage. */
  readonly examples: number;
}

/** A method is a list of segments with two linear operators each. */
export interface Method {
  readonly name: SegmentedMethodName;
  /** Whether its checkpoints are one a segment, of the mean of the weights of the segment's own. */
  readonly averaged?: true;
  /** Whether it says nothing of a run that was not trained by Adam. */
  readonly forAdam?: true;
  plan(run: RunFacts): readonly MethodSegment[];
}

/** A method without segments: no operator stands between two examples, and how they are compared is the engine's. */
export interface DirectMethod {
  readonly name: DirectMethodName;
  /** Whether an example's own score says anything of it; a cosine of anything with itself is 1. */
  readonly tellsOwn: boolean;
}

/** Applies a function of one eigenvalue to each; remembers the answer, since every query asks for the same again. */
export function eachEigenvalue(f: (h: number) => number): MatrixFunction {
  const known = new WeakMap<Float32Array, Float32Array>();
  return (eigenvalues, decay = 0) => {
    const before = known.get(eigenvalues);
    if (before) return before;
    const values = new Float32Array(eigenvalues.length);
    const added = decayOf(decay);
    for (let i = 0; i < values.length; i++) values[i] = f(eigenvalues[i]! + added(i));
    known.set(eigenvalues, values);
    return values;
  };
}

function decayOf(decay: Decay): (index: number) => number {
  if (typeof decay === 'number') return () => decay;
  const { rows, columns } = decay;
  const width = columns.length;
  return (index) => rows[Math.floor(index / width)]! * columns[index % width]!;
}
