import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readNpy } from '../formats/npy';
import type { ScoresRequest } from '../protocol/engineApi';
import { nodeFiles } from '../worker/nodeFiles';
import type { CommandSession } from './session';

/** All scores of several queries: float32 [queries, examples], positive = proponent. */
export async function allScores(
  { engine, call }: CommandSession,
  request: Omit<ScoresRequest, 'out'>,
): Promise<{ readonly examples: number; readonly scores: Float32Array }> {
  const folder = await mkdtemp(join(tmpdir(), 'whence-scores-'));
  try {
    const out = join(folder, 'scores.npy');
    const { shape } = await engine.scores({ ...request, out }, call);
    const { data } = await readNpy(await nodeFiles().open(out));
    return { examples: shape[1], scores: Float32Array.from(data as Float32Array) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
