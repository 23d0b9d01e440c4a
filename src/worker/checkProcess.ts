import { fork } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { childPort } from '../protocol/childPort';
import { connect } from '../protocol/connection';
import { WhenceError } from '../protocol/errors';
import { libraryPath } from '../protocol/gpuApi';
import { measureProvider, type ProviderMeasurement, type ProviderTrial } from './measureProvider';
import { parentPort } from './parentPort';

/** What a process started with `checkArgument` answers. */
interface CheckApi {
  measure(request: { readonly provider: string; readonly trial: ProviderTrial }): Promise<ProviderMeasurement>;
}

/** The worker program with this argument checks one execution provider instead of serving the engine. */
export const checkArgument = '--check-provider';

export function serveCheck(): void {
  connect<Record<string, never>, CheckApi>(parentPort()).serve({
    measure: ({ provider, trial }) => measureProvider(provider, trial),
  });
}

/** A process that tries devices, and may die of one. */
export interface CheckProcess {
  /** @throws WhenceError `provider-unavailable` without an answer in time, `disconnected` where the process died */
  measure(provider: string, trial: ProviderTrial, timeoutMilliseconds: number): Promise<ProviderMeasurement>;
  end(): void;
}

/**
 * @param program the bundled worker, started anew
 * @param libraryFolders that the system's loader is to search before its own
 */
export function startCheck(program: URL, libraryFolders: readonly string[] = []): CheckProcess {
  const path = libraryPath(libraryFolders, process.env.LD_LIBRARY_PATH);
  const child = fork(fileURLToPath(program), [checkArgument], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
    env: { ...process.env, ...(path ? { LD_LIBRARY_PATH: path } : {}) },
  });
  const connection = connect<CheckApi>(childPort(child), { peer: 'The process that tried it' });
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString()).slice(-4000);
  });
  return {
    async measure(provider, trial, timeoutMilliseconds) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          reject(new WhenceError('provider-unavailable', `no answer within ${timeoutMilliseconds / 1000} s`));
        }, timeoutMilliseconds);
      });
      try {
        return await Promise.race([connection.remote.measure({ provider, trial }), late]);
      } catch (error) {
        throw await withLoaderWords(error, () => words);
      } finally {
        clearTimeout(timer);
      }
    },
    end() {
      connection.dispose();
      child.kill('SIGKILL');
    },
  };
}

/** onnxruntime says on stderr alone which library the system's loader did not find; that may come after its answer. */
async function withLoaderWords(error: unknown, words: () => string): Promise<unknown> {
  if (!(error instanceof WhenceError) || !error.message.includes('load shared library')) return error;
  await pause(stderrMilliseconds);
  const said = [...words().matchAll(/ with error: (.+)/g)].at(-1)?.[1];
  return said ? new WhenceError(error.code, `${error.message}: ${said}`, error.details, { cause: error }) : error;
}

const stderrMilliseconds = 200;

export interface MeasureOptions {
  readonly timeoutMilliseconds: number;
  readonly libraryFolders?: readonly string[] | undefined;
}

/** Measures in a process of its own, so that a driver that crashes or hangs takes nothing else along. */
export async function measureApart(
  program: URL,
  provider: string,
  trial: ProviderTrial,
  { timeoutMilliseconds, libraryFolders }: MeasureOptions,
): Promise<ProviderMeasurement> {
  const check = startCheck(program, libraryFolders);
  try {
    return await check.measure(provider, trial, timeoutMilliseconds);
  } finally {
    check.end();
  }
}
