import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type EngineHandlers } from '../../../src/engine/engine';
import { failure } from '../../support/failure';
import { quietContext, testHost } from '../../support/testHost';
import { copyRun, makeTinyRun, type RunFolder, useRunFolders } from '../../support/tinyRun';

const owned = useRunFolders();
let engine: EngineHandlers;
/** The reference run of FashionMNIST, which the tests of this file only read. */
let run: RunFolder;
beforeAll(async () => {
  engine = createEngine(await testHost());
  run = owned(await copyRun('test/fixtures/oracle/momentum'));
});

describe('suspects and their review', () => {
  test('are ranked, decided, undone and exported', async () => {
    const { suspects, examples } = await engine.suspects({ config: run.config, top: 8 }, quietContext());
    expect(suspects).toHaveLength(8);
    expect(examples).toBeGreaterThan(100);
    const suspicions = suspects.map(({ suspicion }) => suspicion);
    expect(suspicions).toEqual([...suspicions].sort((a, b) => b - a));
    for (const { example, suggested } of suspects) expect(suggested).not.toBe(example.label);
    const [first, second] = suspects;
    const relabel = {
      config: run.config,
      example: first!.example.id,
      action: 'relabel',
      newLabel: first!.suggested,
    } as const;
    await engine.review(relabel, quietContext());
    await engine.review({ config: run.config, example: second!.example.id, action: 'exclude' }, quietContext());
    const decided = await engine.suspects({ config: run.config, top: 2 }, quietContext());
    expect(decided.suspects.map(({ decision }) => decision?.action)).toEqual(['relabel', 'exclude']);
    expect((await engine.undoReview({ config: run.config }, quietContext())).decisions).toHaveLength(1);
    const out = join(run.folder, 'review.csv');
    expect(await engine.exportReview({ config: run.config, out }, quietContext())).toEqual({ rows: 1 });
    expect((await readFile(out, 'utf8')).split('\n')[1]).toMatch(
      new RegExp(`^train,${first!.example.id.index},data/.*,relabel,`),
    );
    expect((await engine.readReview({ config: run.config }, quietContext())).decisions[0]).toMatchObject({
      givenLabel: first!.example.label,
      newLabel: first!.suggested,
    });
    for (const newLabel of [undefined, -1, 10, 1.5]) {
      const { newLabel: _, ...bare } = relabel;
      const wrong = newLabel === undefined ? bare : { ...bare, newLabel };
      expect((await failure(engine.review(wrong, quietContext()))).code).toBe('bad-argument');
    }
  });

  test('can be relabelled where classes have no names', async () => {
    const tiny = owned(await makeTinyRun());
    const request = {
      config: tiny.config,
      example: { split: 'train', index: 0 },
      action: 'relabel',
      newLabel: 2,
    } as const;
    expect((await engine.review(request, quietContext())).decisions).toHaveLength(1);
    // The table has lost its lines since.
    await writeFile(
      join(tiny.folder, 'train.csv'),
      (await readFile(join(tiny.folder, 'train.csv'), 'utf8')).split('\n').slice(0, 25).join('\n'),
    );
    await engine.review({ ...request, example: { split: 'train', index: 20 } }, quietContext());
    await writeFile(
      join(tiny.folder, 'train.csv'),
      (await readFile(join(tiny.folder, 'train.csv'), 'utf8')).split('\n').slice(0, 15).join('\n'),
    );
    expect(await engine.exportReview({ config: tiny.config, out: join(tiny.folder, 'x.csv') }, quietContext())).toEqual(
      {
        rows: 2,
      },
    );
  });
});
