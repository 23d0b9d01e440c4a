import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type EngineHandlers } from '../../../src/engine/engine';
import { failure } from '../../support/failure';
import { quietContext, testHost } from '../../support/testHost';
import { makeTinyRun } from '../../support/tinyRun';
import { edit } from './hostile';
import { hostileFiles } from './hostileFiles';
import { hostileGraphs } from './hostileGraphs';

let engine: EngineHandlers;
const folders: string[] = [];
beforeAll(async () => {
  engine = createEngine(await testHost());
});
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

describe.for([...hostileGraphs, ...hostileFiles])('%s', ([, spoil, code, says, file = 'model.onnx']) => {
  test('is refused by its file, and does not take the engine along', async () => {
    const run = await makeTinyRun();
    folders.push(run.folder);
    await spoil(join(run.folder, 'model.onnx'), run);
    const query = { split: 'test', index: 0 };
    const error = await failure(
      engine.attribute({ config: run.config, query, method: 'source', top: 3 }, quietContext()),
    );
    expect({ code: error.code, text: error.describe() }).toEqual({ code, text: expect.stringMatching(says) });
    expect(error.details.file).toBe(join(run.folder, file));
    expect(error.details.mend ?? 'no mend').toMatch(/^[A-Z].*\.$/s);
    expect(error.message.length).toBeLessThan(2000);
    const { runs } = await engine.inspect({ folder: run.folder }, quietContext());
    expect(runs.map(({ config }) => config)).toEqual([run.config]);
  });
});

describe('is no reason to refuse a model, and changes nothing', () => {
  const harmless: readonly (readonly [string, ReturnType<typeof edit>])[] = [
    [
      'an output of another width than it says',
      edit((graph) => {
        graph.output[0]!.type!.tensorType!.shape!.dim[1]!.value = { case: 'dimValue', value: 7n };
      }),
    ],
    [
      'an output of more dimensions than it has',
      edit((graph) => {
        const { dim } = graph.output[0]!.type!.tensorType!.shape!;
        dim.push(dim[0]!, dim[1]!);
      }),
    ],
    [
      'an IR version of the future',
      edit((_, model) => {
        model.irVersion = 14n;
      }),
    ],
    [
      'three hundred nodes in a row',
      edit((graph) => {
        const relu = graph.node.find(({ output }) => output[0] === 'active')!;
        const names = ['active', ...Array.from({ length: 300 }, (_, index) => `again${index}`)];
        graph.node.push(
          ...names.slice(1).map((name, index) => ({ ...relu, name, input: [names[index]!], output: [name] })),
        );
        graph.node.find(({ output }) => output[0] === 'logits')!.input[0] = names.at(-1)!;
      }),
    ],
  ];
  test.for(harmless)('%s', async ([, change]) => {
    const [sound, changed] = [await makeTinyRun(), await makeTinyRun()];
    folders.push(sound.folder, changed.folder);
    await change(join(changed.folder, 'model.onnx'), changed);
    const [expected, found] = await Promise.all(
      [sound, changed].map(({ config }) =>
        engine.attribute({ config, query: { split: 'test', index: 0 }, method: 'source', top: 3 }, quietContext()),
      ),
    );
    expect(found!.towards.map(({ example }) => example.id)).toEqual(expected!.towards.map(({ example }) => example.id));
    found!.towards.forEach(({ score }, index) => {
      expect(score / expected!.towards[index]!.score).toBeCloseTo(1, 4);
    });
  });
});

test('none of them fills the memory', () => {
  expect(process.resourceUsage().maxRSS / 1024, 'MB').toBeLessThan(2000);
});
