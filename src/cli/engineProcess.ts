import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { childPort } from '../protocol/childPort';
import { connect, type RemoteApi } from '../protocol/connection';
import type { EngineApi } from '../protocol/engineApi';
import { type GpuApi, gpuArgument } from '../protocol/gpuApi';

/** The engine in its own process, as the extension runs it. */
export interface EngineProcess extends WorkerProcess {
  readonly engine: RemoteApi<EngineApi>;
}

export interface WorkerProcess {
  /** Ends the process whatever it is doing; what it has stored stays whole. */
  kill(): void;
}

/** The part of the worker that sets up a GPU, in a process of its own. */
export interface GpuProcess extends WorkerProcess {
  readonly gpu: RemoteApi<GpuApi>;
}

/** What of this machine overrides the run's `whence.json`. */
export interface EngineSettings {
  readonly device?: string | undefined;
  /** Megabytes. */
  readonly memory?: number | undefined;
}

/** @param program the bundled worker */
export function startEngine(program: URL, { device, memory }: EngineSettings = {}): EngineProcess {
  const settings = [...(device ? ['--device', device] : []), ...(memory ? ['--memory', `${memory}`] : [])];
  const { remote, kill } = startWorker<EngineApi>(program, settings, 'The engine');
  return { engine: remote, kill };
}

/** @param program the bundled worker */
export function startGpuSetUp(program: URL): GpuProcess {
  const { remote, kill } = startWorker<GpuApi>(program, [gpuArgument], 'The process that sets up the GPU');
  return { gpu: remote, kill };
}

function startWorker<Api>(program: URL, programArguments: readonly string[], peer: string) {
  const child = fork(fileURLToPath(program), programArguments, {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
  });
  const connection = connect<Api>(childPort(child), { peer });
  return {
    remote: connection.remote,
    kill() {
      connection.dispose();
      child.kill('SIGKILL');
    },
  };
}
