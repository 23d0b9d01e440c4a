import type { Port } from './port';

/** What of node:child_process's `ChildProcess` is needed, so that this file stays free of Node. */
export interface ForkedChild {
  readonly stderr: { on(event: 'data', listener: (chunk: Uint8Array) => void): unknown } | null;
  send(message: unknown, callback: (error: Error | null) => void): boolean;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number | null, signal: string | null) => void): unknown;
  on(event: 'close' | 'disconnect', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

const stderrLines = 12;
const maxStderrCharacters = 4000;
/** How long after the process itself its last words may still come, and how long it may live without a channel. */
const lastWordsMilliseconds = 300;
const channelMilliseconds = 1000;

/**
 * The parent's end of a child forked with `serialization: 'advanced'` and `stdio` whose stderr is a pipe. It closes when the
 * child is gone, however that came; the reason holds the last lines that the child wrote to stderr.
 */
export function childPort(child: ForkedChild): Port {
  const messageListeners = new Set<(message: unknown) => void>();
  const closeListeners = new Set<(reason: string) => void>();
  const decoder = new TextDecoder();
  let stderr = '';
  let ending: string | undefined;
  let closed: string | undefined;
  let closing: unknown;

  const close = () => {
    // A timer left over would keep the parent alive.
    clearTimeout(closing);
    if (closed !== undefined) return;
    const words = stderr.trimEnd().split('\n').slice(-stderrLines).join('\n');
    closed = [ending ?? 'its channel was closed.', words].filter(Boolean).join('\n');
    for (const listener of closeListeners) listener(closed);
    messageListeners.clear();
    closeListeners.clear();
  };

  const closeIn = (milliseconds: number) => {
    clearTimeout(closing);
    if (closed === undefined) closing = setTimeout(close, milliseconds);
  };

  child.stderr?.on('data', (chunk) => {
    stderr = (stderr + decoder.decode(chunk)).slice(-maxStderrCharacters);
  });
  child.on('message', (message) => {
    for (const listener of messageListeners) listener(message);
  });
  child.on('error', (error) => {
    ending ??= error.message;
    closeIn(lastWordsMilliseconds);
  });
  child.on('exit', (code, signal) => {
    ending ??= signal ? `the process was ended by ${signal}.` : `the process ended with exit code ${code}.`;
    closeIn(lastWordsMilliseconds);
  });
  child.on('disconnect', () => {
    if (ending === undefined) closeIn(channelMilliseconds);
  });
  child.on('close', close);

  return {
    post(message) {
      // A channel that is already shut reports it here; the closing itself follows by `exit` or `disconnect`.
      child.send(message, () => undefined);
    },
    onMessage(listener) {
      messageListeners.add(listener);
      return () => messageListeners.delete(listener);
    },
    onClose(listener) {
      if (closed === undefined) closeListeners.add(listener);
      else listener(closed);
      return () => closeListeners.delete(listener);
    },
  };
}
