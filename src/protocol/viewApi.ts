import type { ExamplesPage } from './engineApi';
import type { ErrorData } from './errors';
import type { ExampleId, Influence, Label, MeasurementKind, MethodName, PredictedExample, Progress } from './model';

/** What the Influence view shows: always one whole snapshot. */
export type InfluenceSnapshot =
  | { readonly state: 'empty'; readonly reason: 'no-run' | 'no-query' }
  | {
      readonly state: 'running';
      readonly query: ExampleId;
      readonly progress?: Progress;
      readonly previous?: InfluenceResult;
    }
  | {
      readonly state: 'failed';
      readonly error: ErrorData;
      readonly action?: FailureAction;
      readonly previous?: InfluenceResult;
    }
  | { readonly state: 'shown'; readonly result: InfluenceResult; readonly stale: boolean };

/** The one thing that mends a failure: its button's words and the ask that it sends. */
export interface FailureAction {
  readonly label: string;
  readonly kind: 'restart' | 'retry' | 'open-file' | 'set-up' | 'show-log';
}

export interface InfluenceResult {
  readonly influence: Influence;
  readonly runName: string;
  readonly classes: readonly string[];
  /** Labels that the lists are narrowed to; empty: all. */
  readonly labels: readonly Label[];
}

export interface InfluenceChoice {
  readonly method?: MethodName;
  readonly measurement?: MeasurementKind;
  readonly labels?: readonly Label[];
  readonly top?: number;
}

/** What the Influence view asks of the host. */
export interface InfluenceHostApi {
  /** The view is there and wants its first snapshot. */
  ready(request: Record<string, never>): Promise<InfluenceSnapshot>;
  choose(request: InfluenceChoice): Promise<void>;
  /** Opens an example in its own data editor, beside. */
  open(request: { readonly example: ExampleId }): Promise<void>;
  cancel(request: Record<string, never>): Promise<void>;
  act(request: { readonly kind: FailureAction['kind'] }): Promise<void>;
}

/** What the host tells the Influence view. */
export interface InfluenceViewApi {
  show(request: InfluenceSnapshot): Promise<void>;
}

/** What a data editor knows of its file. */
export interface DataFile {
  readonly name: string;
  /** Absent: no run uses the file, so there are no predictions. */
  readonly run?: { readonly config: string; readonly name: string; readonly split: string };
  readonly classes: readonly string[];
  readonly canAttribute: boolean;
}

export type DataOrder = 'file' | 'wrong-first';

/** What a data editor asks of the host. Examples without a run have no prediction. */
export interface DataHostApi {
  ready(request: Record<string, never>): Promise<DataFile>;
  page(request: { readonly order: DataOrder; readonly from: number; readonly count: number }): Promise<DataPage>;
  attribute(request: { readonly index: number }): Promise<void>;
  setUp(request: Record<string, never>): Promise<void>;
}

export interface DataPage {
  readonly total: number;
  readonly examples: readonly (Omit<PredictedExample, 'prediction'> & Partial<Pick<PredictedExample, 'prediction'>>)[];
}

/** What the host tells a data editor. */
export interface DataViewApi {
  reveal(request: { readonly index: number }): Promise<void>;
  /** The run or its predictions changed: ask again. */
  refresh(request: Record<string, never>): Promise<void>;
}

export type { ExamplesPage };
