import { spawn, spawnSync } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { TrainingCommand } from './trainingCommand';

export type TrainingEnd =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly reason: string; readonly lastLines: readonly string[] }
  | { readonly kind: 'cancelled' };

export interface TrainingSettings {
  readonly folder: string;
  /** Where all that it prints goes. */
  readonly log: string;
  /** Seconds; undefined: no limit. */
  readonly timeout: number | undefined;
  /** How many run at a time: they share the cores. */
  readonly parallel: number;
  readonly signal: AbortSignal;
}

/** How long a training that is told to end may take, before it is ended. */
const patienceMilliseconds = 2000;
const shownLines = 12;
const tailBytes = 16_384;

const running = new Set<number>();
// Whatever ends this process, no training goes on behind the user's back.
process.on('exit', () => {
  for (const pid of running) signalGroup(pid, 'SIGKILL');
});

/** Runs one training to its end, in a process group of its own so that what it starts ends with it. */
export async function runTraining(command: TrainingCommand, settings: TrainingSettings): Promise<TrainingEnd> {
  const { folder, log, timeout, parallel, signal } = settings;
  if (signal.aborted) return { kind: 'cancelled' };
  const handle = await open(log, 'w+');
  try {
    const child = spawn(command.program, command.args, {
      cwd: folder,
      shell: command.shell,
      stdio: ['ignore', handle.fd, handle.fd],
      detached: process.platform !== 'win32',
      env: { ...threadLimits(parallel), ...process.env, ...command.environment },
    });
    const { pid } = child;
    if (pid !== undefined) running.add(pid);
    let [ended, timer]: [string | undefined, NodeJS.Timeout | undefined] = [undefined, undefined];
    const end = (why: string) => {
      if (ended !== undefined || pid === undefined) return;
      ended = why;
      signalGroup(pid, 'SIGTERM');
      timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), patienceMilliseconds);
    };
    const onAbort = () => end('cancelled');
    signal.addEventListener('abort', onAbort, { once: true });
    const limit = timeout === undefined ? undefined : setTimeout(() => end('timeout'), timeout * 1000);
    const reason = await new Promise<string | undefined>((resolve) => {
      child.on('error', (error) => resolve(`it could not be started: ${error.message}`));
      child.on('exit', (code, killed) => resolve(code === 0 ? undefined : endWords(code, killed)));
    });
    // What the training itself had started ends with it.
    if (pid !== undefined) signalGroup(pid, 'SIGKILL');
    if (pid !== undefined) running.delete(pid);
    clearTimeout(timer);
    clearTimeout(limit);
    signal.removeEventListener('abort', onAbort);
    if (ended === 'cancelled') return { kind: 'cancelled' };
    const why = ended === 'timeout' ? `it took longer than ${timeout} s` : reason;
    return why === undefined ? { kind: 'done' } : { kind: 'failed', reason: why, lastLines: await lastLines(handle) };
  } finally {
    await handle.close();
  }
}

function endWords(code: number | null, signal: NodeJS.Signals | null): string {
  return code === null ? `it was ended by ${signal ?? 'a signal'}` : `exit code ${code}`;
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  if (process.platform === 'win32') {
    spawnSync('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore' });
    return;
  }
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/** Trainings side by side would otherwise each take all cores, and be slower than one after the other. */
function threadLimits(parallel: number): Readonly<Record<string, string>> {
  const threads = String(Math.max(1, Math.floor(availableParallelism() / parallel)));
  return { OMP_NUM_THREADS: threads, MKL_NUM_THREADS: threads, OPENBLAS_NUM_THREADS: threads };
}

async function lastLines(handle: FileHandle): Promise<readonly string[]> {
  const { size } = await handle.stat();
  const length = Math.min(size, tailBytes);
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
  const lines = buffer.toString('utf8').split(/\r?\n/);
  return lines.filter((line) => line.trim() !== '').slice(-shownLines);
}
