import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { range } from '../../src/engine/network/examples';
import { type LoadedRun, LoadedRuns } from '../../src/engine/run/loadedRun';
import { readNpy } from '../../src/formats/npy';
import type { MethodName } from '../../src/protocol/model';
import { nodeFiles } from '../../src/worker/nodeFiles';
import { quietTask, testHost } from './testHost';

/** A fixture's run in a folder of its own, so that stored stages never enter the repository. */
export interface FixtureRun {
  readonly folder: string;
  readonly loaded: LoadedRun;
}

/** Copies and loads a run; `change` edits its whence.json first. */
export async function openFixture(
  folder: string,
  change: (config: Record<string, unknown>) => Record<string, unknown> = (config) => config,
): Promise<FixtureRun> {
  const copy = await mkdtemp(join(tmpdir(), 'whence-fixture-'));
  await cp(new URL(`../fixtures/${folder}`, import.meta.url), copy, { recursive: true });
  const path = join(copy, 'whence.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify(change(config)));
  return { folder: copy, loaded: await new LoadedRuns(await testHost()).get(path) };
}

export async function closeFixture({ folder, loaded }: FixtureRun): Promise<void> {
  await loaded.release();
  await rm(folder, { recursive: true, force: true });
}

/** Margins' scores of all queries of the split `test` at their labels, [queries, examples], segments summed. */
export async function marginScores({ attribution, examples }: LoadedRun, method: MethodName): Promise<Float64Array> {
  const queries = examples('test');
  const labels = Array.from(queries.dataset.labels);
  const { bySegment } = await attribution.score(
    queries,
    range(0, labels.length),
    labels,
    method,
    'margin',
    quietTask(),
  );
  const total = new Float64Array(bySegment[0]!.length);
  for (const part of bySegment) for (let i = 0; i < total.length; i++) total[i] = total[i]! + part[i]!;
  return total;
}

/** An array that the fixture's script left beside the run. */
export async function goldenArray(folder: string, name: string): Promise<Float32Array> {
  return (await readNpy(await nodeFiles().open(join(folder, `${name}.npy`)))).data as Float32Array;
}
