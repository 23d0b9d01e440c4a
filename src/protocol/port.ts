/** A two-way pipe for structured-clonable messages: a child process's IPC, a webview's postMessage. */
export interface Port {
  post(message: unknown): void;
  /** Called for every message that arrives; returns how to stop listening. */
  onMessage(listener: (message: unknown) => void): () => void;
  /** Called once when the other end is gone for good, with the reason as far as known. */
  onClose(listener: (reason: string) => void): () => void;
}
