import type { Subset } from '../../engine/retraining/outcomeFolder';
import type { PlanFacts } from './outcomeStore';

/** What is to be trained, and what is said when that is done. */
export interface RetrainingPlan {
  /** Of its folder, where the user names none. */
  readonly name: string;
  /** What it is, for the question whether to run it. */
  readonly sentence: string;
  readonly subsets: readonly Subset[];
  readonly repeats: number;
  /** Whether subsets of one repeat share their seed. */
  readonly paired: boolean;
  readonly facts: PlanFacts;
  /** @param out the folder of its outcomes, complete */
  report(out: string): Promise<string>;
}
