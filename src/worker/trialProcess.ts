import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { encodeModel } from '../onnx/encode';
import type { Model } from '../onnx/graph';
import type { Feeds } from '../onnx/runtime';
import { probeTypes } from '../onnx/shape';
import { withInputs, zeroFeeds } from '../onnx/weightInputs';
import { childPort } from '../protocol/childPort';
import { connect } from '../protocol/connection';
import { WhenceError } from '../protocol/errors';
import { parentPort } from './parentPort';
import { createRuntime } from './session';

/** What a process started with `trialArgument` answers. */
interface TrialApi {
  start(request: null): Promise<null>;
  run(request: { readonly model: Model; readonly feeds: Feeds }): Promise<null>;
}

/** The worker program with this argument runs one graph that may take it along. */
export const trialArgument = '--try-graph';

/** Milliseconds. */
const longestTrial = 120_000;

export function serveTrial(): void {
  connect<Record<string, never>, TrialApi>(parentPort()).serve({
    start: async () => null,
    async run({ model, feeds }) {
      // What the runtime refuses it will refuse again where it is asked in earnest; here only a crash counts.
      await runOnce(model, feeds).catch(() => undefined);
      return null;
    },
  });
}

async function runOnce(model: Model, feeds: Feeds): Promise<void> {
  const runtime = createRuntime('cpu');
  await probeTypes(model, runtime, feeds);
  const elsewhere = [...model.graph.initializers.values()].filter(({ bytes }) => !bytes);
  const open = withInputs(model, new Set(elsewhere.map(({ name }) => name)));
  const session = await runtime.createSession(encodeModel(open));
  await session.run({ ...feeds, ...zeroFeeds(elsewhere) });
  await session.release();
}

/**
 * Runs a graph once in a process of its own, weights in other files taken as zeros: a graph that crashes the runtime, or
 * never comes to an end, takes nothing else along.
 * @param program the bundled worker, started anew; where it cannot be started nothing is tried
 * @param timeout milliseconds
 * @throws WhenceError `runtime-failed`
 */
export async function tryGraph(program: URL, model: Model, feeds: Feeds, timeout = longestTrial): Promise<void> {
  const child = fork(fileURLToPath(program), [trialArgument], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
  });
  const connection = connect<TrialApi>(childPort(child), { peer: 'The process that tried the model' });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(refused('does not come to an end on', model.file)), timeout);
  });
  try {
    const started = await connection.remote.start(null).then(
      () => true,
      () => false,
    );
    if (started) await Promise.race([connection.remote.run({ model, feeds }), late]);
  } catch (error) {
    const died = error instanceof WhenceError && error.code === 'disconnected';
    throw died ? refused('crashes on', model.file) : error;
  } finally {
    clearTimeout(timer);
    connection.dispose();
    child.kill('SIGKILL');
  }
}

function refused(what: string, file: string): WhenceError {
  return new WhenceError('runtime-failed', `onnxruntime ${what} this model.`, {
    file,
    mend: 'Export the model again, and try it with onnxruntime on one batch of the data.',
  });
}
