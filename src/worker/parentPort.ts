import type { Port } from '../protocol/port';

/** The forked child's end of the IPC channel to its parent. */
export function parentPort(): Port {
  if (!process.send)
    throw new Error('This program is the engine behind Whence; it is started by the extension or by `whence`.');
  return {
    post(message) {
      process.send?.(message, undefined, undefined, () => undefined);
    },
    onMessage(listener) {
      process.on('message', listener);
      return () => process.off('message', listener);
    },
    onClose(listener) {
      const gone = () => listener('the parent process is gone.');
      process.once('disconnect', gone);
      return () => process.off('disconnect', gone);
    },
  };
}
