import { readFile } from 'node:fs/promises';
import { loadEigensolver } from '../../src/curvature/eigen';
import type { EngineHost } from '../../src/engine/host';
import { type CallContext, Task } from '../../src/engine/task';
import { nodeFiles } from '../../src/worker/nodeFiles';
import { createRuntime } from '../../src/worker/session';

/** The real engine's machine without its threads: onnxruntime on the CPU and the eigensolver in this process. */
export async function testHost(): Promise<EngineHost> {
  const solve = await loadEigensolver(await readFile(new URL('../../media/eigh.wasm', import.meta.url)));
  const cpu = createRuntime('cpu');
  return {
    files: nodeFiles(),
    cpu,
    chooseProvider: async () => ({ runtime: cpu, reports: [] }),
    eigh: async (matrices) => matrices.map(({ matrix, n }) => solve(matrix, n)),
  };
}

/** A call that nobody cancels and whose progress nobody watches. */
export function quietContext(): CallContext {
  return { signal: new AbortController().signal, progress: () => undefined };
}

export function quietTask(): Task {
  return new Task(quietContext());
}
