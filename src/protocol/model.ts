/** The nouns of Whence, as plain data: what crosses the wires and what every layer speaks of. */

/** A training or test example: a split of a run's data (`train`, `test`, ...) and a zero-based index in it. */
export interface ExampleId {
  readonly split: string;
  readonly index: number;
}

/** Where an example lives. */
export interface Location {
  readonly file: string;
  readonly index: number;
  /** Counted from 1, in text files. */
  readonly line?: number;
  /** Counted from 1, in tables that are no text (Parquet, Arrow), within the file. */
  readonly row?: number;
  /** Where the example's values begin, in files of arrays and in texts that are cut into blocks. */
  readonly byte?: number;
  /** Where they end, in such texts. */
  readonly endByte?: number;
}

/** What of an example can be shown. Pixels are row-major, `channels` values of 0..255 each. */
export type Preview =
  | {
      readonly kind: 'image';
      readonly width: number;
      readonly height: number;
      readonly channels: 1 | 3;
      readonly pixels: Uint8Array;
    }
  | { readonly kind: 'row'; readonly columns: readonly string[]; readonly values: readonly string[] }
  | {
      readonly kind: 'text';
      readonly text: string;
      /** [start, end) of each token in UTF-16 units of `text`, where the model reads tokens of it. */
      readonly tokens?: readonly (readonly [number, number])[];
    };

/** A class index for classifiers, a number for regressions. */
export type Label = number;

export interface Example {
  readonly id: ExampleId;
  readonly label: Label;
  readonly location: Location;
  readonly preview: Preview;
}

/** The final checkpoint's opinion of one example. `probabilities` is empty for regressions. */
export interface Prediction {
  readonly predicted: Label;
  readonly confidence: number;
  readonly loss: number;
  readonly probabilities: readonly number[];
}

export interface PredictedExample extends Example {
  readonly prediction: Prediction;
}

/** One saved state of training. `learningRate` is that of its step; absent where the run does not say. */
export interface Checkpoint {
  readonly file: string;
  readonly step: number;
  readonly learningRate?: number;
  readonly trainingLoss?: number;
}

/** Steps `from <= step < to` of training with their checkpoints; `totalLearningRate` is the paper's `Σ η`, over `1 - momentum`. */
export interface Segment {
  readonly from: number;
  readonly to: number;
  readonly totalLearningRate: number;
  readonly checkpoints: readonly number[];
}

/** What is missing or doubtful in a workspace or run, and how to mend it. */
export interface Problem {
  readonly severity: 'error' | 'warning' | 'info';
  readonly message: string;
  readonly file?: string;
  readonly mend?: string;
  /** Characters of `file` at fault, for squiggles in `whence.json`. */
  readonly range?: { readonly offset: number; readonly length: number };
}

export interface DataSplit {
  readonly name: string;
  readonly format: string;
  readonly files: readonly string[];
  readonly examples: number;
}

/** One training run as its `whence.json` describes it and its files confirm. Ordered by step. */
export interface TrainingRun {
  /** Absolute path of its `whence.json`: the run's identity. */
  readonly config: string;
  readonly name: string;
  readonly folder: string;
  readonly model: string;
  readonly checkpoints: readonly Checkpoint[];
  readonly splits: readonly DataSplit[];
  readonly classes: readonly string[];
  readonly optimizer: string;
  /** What wrote the checkpoints, as people call it; absent where they don't say. */
  readonly writer?: string;
  readonly loss: LossKind;
  readonly segments: readonly Segment[];
  readonly problems: readonly Problem[];
}

export type LossKind =
  | 'cross-entropy'
  /** Cross-entropy of every token given those before it: labels are the inputs one place on. */
  | 'next-token'
  | 'binary-cross-entropy'
  | 'squared-error'
  | 'absolute-error'
  /** An ONNX graph of the user's. */
  | 'custom';
export type MeasurementKind = 'margin' | 'loss' | 'logit';
/** Methods of segments with operators on the query's gradient. */
export type SegmentedMethodName =
  | 'source'
  | 'fast-source'
  | 'source-elementwise'
  | 'influence-functions'
  | 'tracin'
  | 'gradient-dot';
/** Methods that compare two examples otherwise. */
export type DirectMethodName = 'trak' | 'gradient-cosine' | 'representation-similarity' | 'exact-unrolling';
export type MethodName = SegmentedMethodName | DirectMethodName;

/** The scalar whose change is attributed: `kind` of class `target` (the label where absent; ignored by regressions). */
export interface Measurement {
  readonly kind: MeasurementKind;
  readonly target?: Label;
  /** The place of the one token whose prediction is measured; without it the mean over all that count. */
  readonly token?: number;
}

export interface InfluentialExample {
  readonly example: Example;
  /** Predicted change of the measurement that training on this example made, in the measurement's units; positive = proponent. */
  readonly score: number;
  /** The same, segment by segment; sums to `score`. One entry for methods without segments. */
  readonly bySegment: readonly number[];
}

/** Some training examples together: the sums of their positive and of their negative scores. */
export interface SummedInfluence {
  readonly examples: number;
  readonly towards: number;
  readonly away: number;
}

/** All training examples of one label. */
export interface ClassInfluence extends SummedInfluence {
  readonly label: Label;
}

/** What a chosen set of training examples did to one query, beside all of them. */
export interface GroupInfluence {
  readonly run: string;
  readonly query: PredictedExample;
  readonly method: MethodName;
  readonly measurement: Measurement & { readonly target: Label };
  readonly group: SummedInfluence;
  readonly all: SummedInfluence;
  /** As `Influence.hash`. */
  readonly hash: string;
  readonly seconds: number;
}

/** The answer to "which training examples made the model say this?" for one query. */
export interface Influence {
  readonly run: string;
  readonly query: PredictedExample;
  readonly method: MethodName;
  readonly measurement: Measurement & { readonly target: Label };
  /** Strongest first. For `loss`, towards means lowering it: scores are signed so that positive is a proponent. */
  readonly towards: readonly InfluentialExample[];
  readonly away: readonly InfluentialExample[];
  readonly byClass: readonly ClassInfluence[];
  readonly segments: readonly Segment[];
  /** Training examples scored, after the label filter. */
  readonly examples: number;
  /** Where queries are truncated to a rank: what that left out of this one, relative to its norm. */
  readonly truncation?: { readonly rank: number; readonly relativeError: number };
  /** Content hash of everything that the scores depend on; another hash later means this answer is stale. */
  readonly hash: string;
  readonly seconds: number;
}

/** One row of the suspect-label list, most suspect first. */
export interface Suspect {
  readonly example: Example;
  readonly suggested: Label;
  /** 0..1, the mean of the two signals' ranks. */
  readonly suspicion: number;
  /** Loss averaged over the checkpoints. */
  readonly meanLoss: number;
  readonly selfInfluence: number;
  readonly decision?: ReviewDecision;
}

export type ReviewAction = 'relabel' | 'exclude' | 'keep';

export interface ReviewDecision {
  readonly example: ExampleId;
  readonly action: ReviewAction;
  readonly givenLabel: Label;
  /** For `relabel` only. */
  readonly newLabel?: Label;
  /** ISO 8601. */
  readonly at: string;
}

export type Phase =
  | 'reading'
  | 'checking'
  | 'gradients'
  | 'curvature'
  | 'eigenvectors'
  | 'eigenvalues'
  | 'scoring'
  | 'storing'
  | 'retraining';

/** How far a call has come. `done` and `total` count the same unit within the call; seconds are an estimate. */
export interface Progress {
  readonly phase: Phase;
  readonly message: string;
  readonly done: number;
  readonly total: number;
  readonly remainingSeconds?: number;
}
