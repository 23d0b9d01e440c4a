import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { childPort } from '../protocol/childPort';
import { connect, type RemoteApi } from '../protocol/connection';
import type { EngineApi } from '../protocol/engineApi';

/** The engine in its own process, as the extension runs it. */
export interface EngineProcess {
  readonly engine: RemoteApi<EngineApi>;
  /** Ends the process whatever it is doing; what it has stored stays whole. */
  kill(): void;
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
  const child = fork(fileURLToPath(program), settings, {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
  });
  const connection = connect<EngineApi>(childPort(child), { peer: 'The engine' });
  return {
    engine: connection.remote,
    kill() {
      connection.dispose();
      child.kill('SIGKILL');
    },
  };
}
