import { type CancelSignal, throwIfCancelled } from '../protocol/cancel';
import type { Phase, Progress } from '../protocol/model';

/** What a caller hands to every engine call. */
export interface CallContext {
  readonly signal: CancelSignal;
  progress(progress: Progress): void;
}

/** What must be done before the speed so far says how long the rest will take. */
const tellingShare = 0.02;

/** Reports a call's progress in steps of one unit, with the time that the rest will take at the speed so far. */
export class Task {
  private done = 0;
  private total = 0;
  private readonly started = performance.now();

  constructor(private readonly context: CallContext) {}

  get signal(): CancelSignal {
    return this.context.signal;
  }

  /** Announces more steps, so that the total is known before they begin. */
  expect(steps: number): void {
    this.total += steps;
  }

  /** One step is over (or none, to say what begins). Throws `cancelled` when the caller has let go. */
  step(phase: Phase, message: string, steps = 1): void {
    throwIfCancelled(this.context.signal);
    this.done += steps;
    const elapsed = (performance.now() - this.started) / 1000;
    // The first steps only read and start up: an estimate from them alone would be of something else.
    const isTelling = this.done > 0 && this.done >= this.total * tellingShare;
    const remaining = isTelling ? { remainingSeconds: (elapsed / this.done) * (this.total - this.done) } : {};
    this.context.progress({ phase, message, done: this.done, total: Math.max(this.total, this.done), ...remaining });
  }
}
