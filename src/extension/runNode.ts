import type { Problem } from '../protocol/model';

/** One row of the Runs tree as plain data. `context` gates its menus; `file` is what a click opens. */
export interface RunNode {
  readonly id: string;
  readonly label: string;
  readonly description?: string;
  readonly tooltip?: string;
  /** A codicon's name. */
  readonly icon: string;
  /** Colours the icon; the icon's shape says the same. */
  readonly severity?: Problem['severity'];
  readonly context:
    | 'run'
    | 'proposal'
    | 'setUp'
    | 'checkpoint'
    | 'model'
    | 'split'
    | 'segment'
    | 'device'
    | 'provider'
    | 'problem'
    | 'group';
  readonly expanded?: boolean;
  /** `asked`: the engine is asked for them when the row is opened. */
  readonly children?: readonly RunNode[] | 'asked';
  readonly file?: string;
  /** The `whence.json` of the run or proposal that the row belongs to. */
  readonly config?: string;
}
