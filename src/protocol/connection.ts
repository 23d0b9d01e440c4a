import {
  CancellationTokenSource,
  createMessageConnection,
  NullLogger,
  ProgressType,
  ResponseError,
} from 'vscode-jsonrpc/browser.js';
import { CallSignal } from './callSignal';
import { type CancelSignal, throwIfCancelled } from './cancel';
import { type ErrorData, fromErrorData, isErrorCode, toErrorData, WhenceError } from './errors';
import type { Progress } from './model';
import type { Port } from './port';
import { applicationError, PortReader, PortWriter } from './portTransport';

type Method = (request: never) => Promise<unknown>;
export type Request<M> = M extends (request: infer R) => Promise<unknown> ? R : never;
type Result<M> = M extends (request: never) => Promise<infer R> ? R : never;

export interface CallOptions {
  readonly signal?: CancelSignal;
  onProgress?(progress: Progress): void;
}

/** The other end's methods. Each fails with a `WhenceError`: the other end's own, or `disconnected` once it is gone. */
export type RemoteApi<Api> = {
  readonly [K in keyof Api]: (request: Request<Api[K]>, options?: CallOptions) => Promise<Result<Api[K]>>;
};

export interface CallContext {
  /** Aborted when the caller cancels, and when it is gone. */
  readonly signal: CancelSignal;
  progress(progress: Progress): void;
}

/** This end's methods, as `serve` takes them. */
export type Handlers<Api> = {
  readonly [K in keyof Api]: (request: Request<Api[K]>, context: CallContext) => Promise<Result<Api[K]>>;
};

export interface Connection<Remote, Local> {
  readonly remote: RemoteApi<Remote>;
  /** To be called in the same turn as `connect`: until then every call from the other end fails. */
  serve(handlers: Handlers<Local>): void;
  /** Lets go of the port; calls under way and later ones fail with `disconnected`. */
  dispose(): void;
}

export interface ConnectionOptions {
  /** What the other end is, to begin a sentence with: `The engine`. */
  readonly peer?: string;
}

interface CallParams {
  readonly request: unknown;
  readonly progress?: number;
}

const progressType = new ProgressType<Progress>();

/**
 * Typed calls both ways over `port`, with cancellation and progress. Requests and results must be structured-clonable and
 * pass as they are, typed arrays included. Both ends use this function, with the type arguments swapped.
 */
export function connect<Remote, Local = Record<string, never>>(
  port: Port,
  { peer = 'The other side' }: ConnectionOptions = {},
): Connection<Remote, Local> {
  const reader = new PortReader(port);
  // The library's browser entry needs nothing of a browser that Node lacks, and nothing of Node: it serves all hosts.
  const rpc = createMessageConnection(reader, new PortWriter(port, reader), NullLogger);
  const handlers = new Map<string, (request: unknown, context: CallContext) => Promise<unknown>>();
  const served = new Set<CallSignal>();
  let progressTokens = 0;
  let gone: WhenceError | undefined;

  function close(reason: string): void {
    if (gone) return;
    gone = new WhenceError('disconnected', `${peer} is gone: ${reason}`, {
      mend: 'Start it again and repeat the call.',
    });
    stopListening();
    for (const signal of served) signal.abort();
    rpc.dispose();
  }
  const stopListening = port.onClose(close);

  async function call(method: string, request: unknown, options: CallOptions = {}): Promise<unknown> {
    if (gone) throw gone;
    throwIfCancelled(options.signal);
    const cancellation = new CancellationTokenSource();
    const { signal, onProgress } = options;
    const onAbort = () => cancellation.cancel();
    signal?.addEventListener('abort', onAbort);
    const token = onProgress && ++progressTokens;
    const listening = token && rpc.onProgress(progressType, token, (progress) => onProgress(progress));
    const params: CallParams = token ? { request, progress: token } : { request };
    try {
      return await rpc.sendRequest(method, params, cancellation.token);
    } catch (error) {
      throw gone ?? fromWire(error);
    } finally {
      if (listening) listening.dispose();
      // A signal can outlive many calls.
      signal?.removeEventListener('abort', onAbort);
      cancellation.dispose();
    }
  }

  rpc.onRequest(async (method, params, token) => {
    const handler = handlers.get(method);
    const signal = new CallSignal(token.isCancellationRequested);
    const listening = token.onCancellationRequested(() => signal.abort());
    served.add(signal);
    try {
      if (!handler) throw new WhenceError('internal', `There is no method ${method}.`);
      const { request, progress: progressToken } = params as CallParams;
      const progress = (value: Progress) => {
        if (progressToken !== undefined && !gone) void rpc.sendProgress(progressType, progressToken, value);
      };
      return await handler(request, { signal, progress });
    } catch (error) {
      const data = toErrorData(error);
      throw new ResponseError<ErrorData>(applicationError, data.message, data);
    } finally {
      listening.dispose();
      served.delete(signal);
    }
  });
  rpc.listen();

  return {
    remote: remoteApi<Remote>(call),
    serve(api) {
      for (const name of Object.keys(api) as (keyof Local & string)[]) {
        const handler = api[name];
        handlers.set(name, (request, context) => handler(request as Request<Local[typeof name]>, context));
      }
    },
    dispose: () => close('the connection was closed.'),
  };
}

function remoteApi<Remote>(call: (method: string, request: unknown, options?: CallOptions) => Promise<unknown>) {
  const methods = new Map<string, Method>();
  return new Proxy(Object.create(null) as RemoteApi<Remote>, {
    get(_, name) {
      // Not a method: else `await` would take the object for a promise.
      if (typeof name !== 'string' || name === 'then') return undefined;
      const known = methods.get(name);
      if (known) return known;
      const method = (request: unknown, options?: CallOptions) => call(name, request, options);
      methods.set(name, method);
      return method;
    },
  });
}

function fromWire(error: unknown): WhenceError {
  const data: unknown = error instanceof ResponseError ? error.data : undefined;
  return isErrorData(data) ? fromErrorData(data) : fromErrorData(toErrorData(error));
}

function isErrorData(value: unknown): value is ErrorData {
  return (
    typeof value === 'object' && value !== null && 'code' in value && isErrorCode(value.code) && 'message' in value
  );
}
