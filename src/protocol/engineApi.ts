import type {
  Checkpoint,
  DataSplit,
  Example,
  ExampleId,
  GroupInfluence,
  Influence,
  Label,
  Measurement,
  MethodName,
  PredictedExample,
  Problem,
  ReviewAction,
  ReviewDecision,
  Suspect,
  TrainingRun,
} from './model';

/** What no file of a run tells. The answer is an optimizer as in Python: `AdamW(lr=0.001, weight_decay=0.01)`. */
export interface Question {
  readonly prompt: string;
  readonly guess: string;
}

/** A run that is not set up yet: what was found by content, and the `whence.json` that would describe it. */
export interface Proposal {
  /** Where `whence.json` would go. */
  readonly config: string;
  /** The folder that was looked through. */
  readonly folder: string;
  /** Its text, commented where something was guessed. */
  readonly text: string;
  readonly model?: string;
  readonly checkpoints: readonly Checkpoint[];
  /** As far as files tell; empty where none does. */
  readonly optimizer: string;
  /** What wrote the checkpoints, as people call it; absent where they don't say. */
  readonly writer?: string;
  /** To be asked before setting up; absent where nothing is missing. */
  readonly question?: Question;
  readonly splits: readonly DataSplit[];
  readonly problems: readonly Problem[];
}

export interface WorkspaceReport {
  readonly runs: readonly TrainingRun[];
  /** Folders with checkpoints but without a `whence.json`. */
  readonly proposals: readonly Proposal[];
  readonly problems: readonly Problem[];
}

export interface ExamplesRequest {
  readonly config: string;
  readonly split: string;
  readonly from: number;
  readonly count: number;
  /** `wrong-first`: wrong predictions only, most confident first. */
  readonly order: 'file' | 'wrong-first';
}

export interface ExamplesPage {
  /** Examples that the order holds in all. */
  readonly total: number;
  readonly examples: readonly PredictedExample[];
}

export interface AttributeRequest {
  readonly config: string;
  readonly query: ExampleId;
  readonly method: MethodName;
  /** Default: the margin of the predicted class. */
  readonly measurement?: Measurement;
  /** How many examples in each direction. */
  readonly top: number;
  /** Training examples of these labels only. */
  readonly labels?: readonly Label[];
}

export interface GroupInfluenceRequest extends Pick<AttributeRequest, 'config' | 'query' | 'method' | 'measurement'> {
  /** Training examples by name, all of some labels, or both; each counts once. */
  readonly group: { readonly examples?: readonly ExampleId[]; readonly labels?: readonly Label[] };
}

export interface SelfInfluenceRequest {
  readonly config: string;
  readonly method: MethodName;
  readonly top: number;
}

/** Strongest first; a score is what training on the example did to its own loss, positive where it lowered it. */
export interface SelfInfluenceReport {
  readonly method: MethodName;
  readonly strongest: readonly { readonly example: Example; readonly score: number }[];
  readonly examples: number;
}

export interface ScoresRequest {
  readonly config: string;
  readonly queries: readonly ExampleId[];
  readonly method: MethodName;
  /** Without a target: each query's own label. */
  readonly measurement: Measurement;
  /** Absolute path of the `.npy` to write: float32 [queries, training examples], positive = proponent. */
  readonly out: string;
  /** How many segments, or the steps at which each ends, where they are not to be the run's own. */
  readonly segments?: number | readonly number[];
}

export interface ScoresReport {
  /** Queries and training examples. */
  readonly shape: readonly [number, number];
  /** Where queries are truncated to a rank: the most that this left out of any, relative to its norm. */
  readonly truncation?: Influence['truncation'];
}

export interface MeasureRequest {
  readonly config: string;
  /** Of one split, at least one. */
  readonly queries: readonly ExampleId[];
  /** Without a target: each query's own label. */
  readonly measurement: Measurement;
  /** Absolute path of a checkpoint of the same network, from any training. Default: the run's last. */
  readonly checkpoint?: string;
}

/** Query by query. */
export interface MeasuredQueries {
  /** The measurement itself: a loss is larger where the model does worse. */
  readonly values: readonly number[];
  /** The class or number that the model says; absent where it says no single one. */
  readonly predicted?: readonly number[];
}

/** Accuracy and mean loss of one checkpoint on a sample of a split. */
export interface CheckpointQuality {
  readonly step: number;
  readonly accuracy?: number;
  readonly loss: number;
  /** What training logged at that step, if anything. */
  readonly loggedLoss?: number;
}

export interface QualityReport {
  readonly examples: number;
  readonly checkpoints: readonly CheckpointQuality[];
  readonly problems: readonly Problem[];
}

/** A device that onnxruntime offers, and whether its numbers on the user's own graph may be trusted. */
export interface ProviderReport {
  readonly provider: string;
  readonly chosen: boolean;
  /** Why it was chosen or passed over, with the measured difference where it was compared with the CPU. */
  readonly reason: string;
}

export interface SuspectsRequest {
  readonly config: string;
  readonly top: number;
}

export interface SuspectsReport {
  readonly suspects: readonly Suspect[];
  readonly examples: number;
}

export interface ReviewRequest {
  readonly config: string;
  readonly example: ExampleId;
  readonly action: ReviewAction;
  readonly newLabel?: Label;
}

export interface Review {
  /** Absolute path of the review file. */
  readonly file: string;
  readonly decisions: readonly ReviewDecision[];
  readonly canUndo: boolean;
}

/** Where a file belongs: a run's split, if some run of the folder uses it. */
export interface FileUse {
  readonly config: string;
  readonly split: string;
}

/**
 * What the engine answers. Every call may be cancelled and may report progress; it fails with a `WhenceError`.
 * Paths are absolute. `config` is the path of a run's `whence.json`.
 */
export interface EngineApi {
  inspect(request: { readonly folder: string }): Promise<WorkspaceReport>;
  /**
   * The text of the `whence.json` that a proposal would write, with what only running the model can tell filled in: of the
   * usual preprocessings the one under which the last checkpoint's loss agrees with training. Writes nothing.
   */
  setUp(request: {
    readonly config: string;
    /** The proposal's: where the run's data may lie beside it. Default: the run's own. */
    readonly folder?: string;
    /** The answer to the proposal's question; without one its guess stands. */
    readonly optimizer?: string;
  }): Promise<{ readonly text: string; readonly problems: readonly Problem[] }>;
  /** Problems of a `whence.json` text as it stands in an editor, with ranges. */
  validate(request: { readonly config: string; readonly text: string }): Promise<readonly Problem[]>;
  findUse(request: { readonly folder: string; readonly file: string }): Promise<FileUse | null>;
  /** The example on a line (counted from 1) of a run's text file; null for headers and for files that no run uses. */
  exampleAt(request: {
    readonly folder: string;
    readonly file: string;
    readonly line: number;
  }): Promise<{ readonly config: string; readonly example: ExampleId } | null>;
  /** Reads a data file without a run: no labels' names, no predictions. */
  browse(request: {
    readonly file: string;
    readonly from: number;
    readonly count: number;
  }): Promise<{ total: number; examples: readonly Example[] }>;
  examples(request: ExamplesRequest): Promise<ExamplesPage>;
  check(request: { readonly config: string }): Promise<QualityReport>;
  attribute(request: AttributeRequest): Promise<Influence>;
  groupInfluence(request: GroupInfluenceRequest): Promise<GroupInfluence>;
  /** By any method by which examples differ in it: not by cosines, which are 1 for each. */
  selfInfluence(request: SelfInfluenceRequest): Promise<SelfInfluenceReport>;
  scores(request: ScoresRequest): Promise<ScoresReport>;
  measure(request: MeasureRequest): Promise<MeasuredQueries>;
  suspects(request: SuspectsRequest): Promise<SuspectsReport>;
  review(request: ReviewRequest): Promise<Review>;
  undoReview(request: { readonly config: string }): Promise<Review>;
  readReview(request: { readonly config: string }): Promise<Review>;
  exportReview(request: { readonly config: string; readonly out: string }): Promise<{ readonly rows: number }>;
  providers(request: { readonly config: string }): Promise<readonly ProviderReport[]>;
  /** Content hash of what the run's scores depend on now; compare with `Influence.hash`. */
  hash(request: { readonly config: string; readonly method: MethodName }): Promise<string>;
}

export const engineMethods = [
  'inspect',
  'setUp',
  'validate',
  'findUse',
  'exampleAt',
  'browse',
  'examples',
  'check',
  'attribute',
  'groupInfluence',
  'selfInfluence',
  'scores',
  'measure',
  'suspects',
  'review',
  'undoReview',
  'readReview',
  'exportReview',
  'providers',
  'hash',
] as const satisfies readonly (keyof EngineApi)[];
