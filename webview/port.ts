import type { Port } from '../src/protocol/port';

/** What a view remembers across being hidden and shown again. */
export interface ViewMemory<State> {
  read(): State | undefined;
  write(state: State): void;
}

export interface HostLink {
  readonly port: Port;
  memory<State>(): ViewMemory<State>;
}

/** The way to the extension host. VS Code hands out its API once per page, so call this once. */
export function openHostLink(): HostLink {
  const api = acquireVsCodeApi<unknown>();
  return {
    port: {
      post: (message) => api.postMessage(message),
      onMessage(listener) {
        const receive = (event: MessageEvent<unknown>) => listener(event.data);
        window.addEventListener('message', receive);
        return () => window.removeEventListener('message', receive);
      },
      // A webview's page is destroyed together with its pipe: there is no moment at which it could learn of the end.
      onClose: () => () => undefined,
    },
    memory: <State>() => ({
      read: () => api.getState() as State | undefined,
      write: (state: State) => {
        api.setState(state);
      },
    }),
  };
}
