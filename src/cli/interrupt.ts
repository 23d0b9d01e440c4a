/** How long a cancelled call may take to answer before its process is ended. */
const patienceMilliseconds = 2000;

export interface Interrupt {
  readonly signal: AbortSignal;
  dispose(): void;
}

/**
 * Ctrl+C: the first cancels the call, so that finished stages are kept and the next command goes on from there; a second,
 * or a call that does not answer in time, ends the engine. A request to terminate ends it at once.
 */
export function interruptible(killEngine: () => void, say: (line: string) => void): Interrupt {
  const cancel = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onInterrupt = () => {
    if (cancel.signal.aborted) return killEngine();
    say('Cancelling. Press Ctrl+C again to stop at once.');
    cancel.abort();
    timer = setTimeout(killEngine, patienceMilliseconds);
  };
  const onTerminate = () => {
    cancel.abort();
    killEngine();
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onTerminate);
  process.on('exit', killEngine);
  return {
    signal: cancel.signal,
    dispose() {
      clearTimeout(timer);
      process.off('SIGINT', onInterrupt);
      process.off('SIGTERM', onTerminate);
      process.off('exit', killEngine);
    },
  };
}
