import type { CancelSignal } from './cancel';

/** The `CancelSignal` that a served call sees. Pure code has no AbortController. */
export class CallSignal implements CancelSignal {
  aborted: boolean;
  private readonly listeners = new Set<() => void>();

  constructor(aborted: boolean) {
    this.aborted = aborted;
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    for (const listener of this.listeners) listener();
    this.listeners.clear();
  }
}
