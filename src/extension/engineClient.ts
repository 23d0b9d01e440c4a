import { type ChildProcess, fork } from 'node:child_process';
import { type CancelSignal, cancelled } from '../protocol/cancel';
import { childPort } from '../protocol/childPort';
import { type CallOptions, type Connection, connect, type RemoteApi, type Request } from '../protocol/connection';
import { type EngineApi, engineMethods } from '../protocol/engineApi';
import { WhenceError } from '../protocol/errors';
import { libraryPath } from '../protocol/gpuApi';
import type { Engine } from './engine';
import { readLines } from './outputLines';

export interface EngineClientOptions {
  /** The worker's bundle. */
  readonly modulePath: string;
  /** The worker's command line, asked for at each start. */
  programArguments(): readonly string[];
  /** Folders that the system's loader is to search before its own, asked for at each start. */
  libraryFolders?(): readonly string[];
  /** One line that the worker wrote to its stdout or stderr. */
  onLine(line: string): void;
  /** The worker ended without being asked to; `reason` holds the last lines of its stderr. */
  onDidExit(reason: string): void;
  /** How long a cancelled call may take to settle before the process is killed. Default 2000 ms. */
  readonly cancelGraceMs?: number;
  /** How long the process may take to end by itself when it is asked to. Default 1000 ms. */
  readonly exitGraceMs?: number;
}

interface Worker {
  readonly child: ChildProcess;
  readonly connection: Connection<EngineApi, Record<string, never>>;
  readonly exited: Promise<void>;
  /** Calls that wait for an answer, the oldest first. */
  readonly calls: Set<Call>;
  /** Set before this side ends the process: its exit is then no news. */
  ending: boolean;
  /** It was ended for a call that did not hear its cancellation; whoever else waited is asked anew of the next. */
  abandoned: boolean;
}

interface Call {
  readonly signal: CancelSignal | undefined;
}

/**
 * Owns the worker process. It is forked by the first call and, after an exit, by the next one; whoever waits when it ends is
 * refused with `disconnected`. A cancelled call that is stuck in native code is ended by killing the process: what it had
 * finished is on disk.
 */
export class EngineClient {
  readonly engine: Engine;
  readonly #options: EngineClientOptions;
  #worker: Worker | undefined;
  #disposed = false;

  constructor(options: EngineClientOptions) {
    this.#options = options;
    this.engine = lazyApi((invoke, signal) => this.#call(invoke, signal));
  }

  get processId(): number | undefined {
    return this.#worker?.child.pid;
  }

  /** Ends the process; the next call starts a fresh one. Waiting calls fail with `disconnected`. */
  async stop(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    this.#worker = undefined;
    worker.ending = true;
    worker.connection.dispose();
    if (worker.child.connected) worker.child.disconnect();
    const grace = setTimeout(() => worker.child.kill('SIGKILL'), this.#options.exitGraceMs ?? 1000);
    await worker.exited;
    clearTimeout(grace);
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    await this.stop();
  }

  async #call<T>(invoke: Invoke<T>, signal?: CancelSignal): Promise<T> {
    if (this.#disposed) throw new WhenceError('disconnected', 'The window is closing.');
    this.#worker ??= this.#start();
    const worker = this.#worker;
    const call: Call = { signal };
    worker.calls.add(call);
    try {
      return await Promise.race([invoke(worker.connection.remote), this.#unheard(worker, call)]);
    } catch (error) {
      if (signal?.aborted) throw cancelled(error);
      if (worker.abandoned) return this.#call(invoke, signal);
      throw error;
    } finally {
      worker.calls.delete(call);
    }
  }

  /**
   * Rejects once a cancelled call has not settled in time. The process is killed if that call is what it is busy with; one
   * that only waits behind another's work is let go.
   */
  #unheard(worker: Worker, call: Call): Promise<never> {
    return new Promise((_resolve, reject) => {
      call.signal?.addEventListener('abort', () => {
        const late = () => {
          if (!worker.calls.has(call)) return;
          const busyWith = [...worker.calls].find((one) => one === call || !one.signal?.aborted);
          if (busyWith === call) this.#abandon(worker);
          reject(cancelled());
        };
        setTimeout(late, this.#options.cancelGraceMs ?? 2000).unref();
      });
    });
  }

  #start(): Worker {
    const { modulePath, programArguments, libraryFolders, onLine, onDidExit } = this.#options;
    const path = libraryPath(libraryFolders?.() ?? [], process.env.LD_LIBRARY_PATH);
    const child = fork(modulePath, programArguments(), {
      // Flags of the extension host, such as an inspector's port, are not the worker's.
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Inside Electron the executable is VS Code itself; this makes it behave as Node.
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1', ...(path ? { LD_LIBRARY_PATH: path } : {}) },
    });
    readLines(child.stdout, onLine);
    readLines(child.stderr, onLine);
    const port = childPort(child);
    const exited = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', () => resolve());
    });
    const worker: Worker = {
      child,
      connection: connect(port, { peer: 'The engine' }),
      exited,
      calls: new Set(),
      ending: false,
      abandoned: false,
    };
    port.onClose((reason) => {
      if (this.#worker === worker) this.#worker = undefined;
      // A process whose channel is gone can no longer be asked for anything.
      child.kill('SIGKILL');
      if (!worker.ending) onDidExit(reason);
    });
    return worker;
  }

  #abandon(worker: Worker): void {
    worker.ending = true;
    worker.abandoned = true;
    if (this.#worker === worker) this.#worker = undefined;
    worker.child.kill('SIGKILL');
  }
}

type Invoke<T> = (remote: RemoteApi<EngineApi>) => Promise<T>;

/** The engine's methods, each started on whichever worker is there when it is called. */
function lazyApi(call: <T>(invoke: Invoke<T>, signal?: CancelSignal) => Promise<T>): Engine {
  function forward<M extends keyof EngineApi>(method: M) {
    return (request: Request<EngineApi[M]>, options?: CallOptions) =>
      call((remote) => remote[method](request, options), options?.signal);
  }
  return Object.fromEntries(engineMethods.map((method) => [method, forward(method)])) as Engine;
}
