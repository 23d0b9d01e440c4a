import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { EngineHost } from '../engine/host';
import { type EigenPool, eigenPool } from './eigenPool';
import { fileError } from './fileErrors';
import { nodeFiles } from './nodeFiles';
import { chooseProvider, type ProviderChoice } from './providers';
import { createRuntime } from './session';
import { tryGraph } from './trialProcess';

/**
 * This machine, for the engine. `program` is the bundled worker; `eigenThread.mjs` and `eigh.wasm` lie beside it. `device`
 * and `memory` (megabytes) override what a run asks for.
 */
export function nodeHost(program: URL, device?: string, memory?: number): EngineHost {
  const files = nodeFiles();
  const choices = new Map<string, Promise<ProviderChoice>>();
  let pool: Promise<EigenPool> | undefined;

  return {
    files,
    memory,
    cpu: createRuntime('cpu'),
    tryGraph: (model, feeds) => tryGraph(program, model, feeds),
    chooseProvider(graph, feeds, ofRun) {
      const requested = device ?? ofRun;
      const shapes = Object.entries(feeds).map(([name, { dims }]) => `${name} ${dims.join()}`);
      const about = new TextEncoder().encode([requested, ...shapes].join('\n'));
      const key = files.hashBytes([graph('cpu'), about]);
      const known = choices.get(key);
      if (known) return known;
      const choosing = chooseProvider({ graph, feeds }, requested, { program });
      choices.set(key, choosing);
      // A device that failed may have been mended since.
      choosing.catch(() => choices.delete(key));
      return choosing;
    },
    async eigh(matrices, memory, signal) {
      pool ??= openPool(program);
      return (await pool)(matrices, memory, signal);
    },
  };
}

async function openPool(program: URL): Promise<EigenPool> {
  const wasm = new URL('./eigh.wasm', program);
  try {
    return eigenPool({ thread: new URL('./eigenThread.mjs', program), wasm: new Uint8Array(await readFile(wasm)) });
  } catch (error) {
    throw fileError(fileURLToPath(wasm), error);
  }
}
