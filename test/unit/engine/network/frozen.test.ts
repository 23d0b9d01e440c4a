import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EngineHost } from '../../../../src/engine/host';
import { withFrozen } from '../../../../src/engine/network/frozen';
import { predict } from '../../../../src/engine/network/predictions';
import { bind } from '../../../../src/engine/network/weights';
import { LoadedRuns } from '../../../../src/engine/run/loadedRun';
import { openRun } from '../../../../src/engine/run/openRun';
import { encodeModel } from '../../../../src/onnx/encode';
import type { Initializer } from '../../../../src/onnx/graph';
import { bytesOf } from '../../../../src/onnx/tensor';
import { randomFloats, randomNumbers } from '../../../support/random';
import { quietTask, testHost } from '../../../support/testHost';
import { modelOf, node, perceptron } from '../../../support/tinyModel';
import { makeTinyRun } from '../../../support/tinyRun';

/** A table of 80 kB that no checkpoint holds, of which the model adds a part to its logits. */
const rows = 6700;
const table = randomFloats(rows * 3, randomNumbers(9));
const folders: string[] = [];
let host: EngineHost;
beforeAll(async () => {
  host = await testHost();
});
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

/** The perceptron with the table's mean added to its logits, in the model's file or in one beside it. */
async function runWithTable(external: boolean) {
  const run = await makeTinyRun();
  folders.push(run.folder);
  const [hidden, active, logits] = perceptron.nodes;
  const nodes = [
    hidden!,
    active!,
    { ...logits!, name: 'node_own', outputs: ['own'] },
    node('ReduceMean', ['table'], 'mean', { axes: [0], keepdims: 1 }),
    node('Add', ['own', 'mean'], 'logits'),
  ];
  const model = modelOf({ ...perceptron, nodes });
  const head = { name: 'table', dtype: 'float32', dims: [rows, 3] } as const;
  const bytes = bytesOf({ ...head, data: table });
  const whole: Initializer = external
    ? { ...head, external: { location: 'table.bin', offset: 0, length: bytes.length } }
    : { ...head, bytes };
  const initializers = new Map([...model.graph.initializers, ['table', whole]]);
  await writeFile(join(run.folder, 'table.bin'), bytes);
  await writeFile(join(run.folder, 'model.onnx'), encodeModel({ ...model, graph: { ...model.graph, initializers } }));
  return run.config;
}

test.each([false, true])(
  'a table that no checkpoint holds is fed, not copied into graphs (external: %s)',
  async (external) => {
    const config = await runWithTable(external);
    const opened = await openRun(config, host.files);
    const location = external ? 'table.bin' : 'model.onnx';
    expect(opened.model.graph.initializers.get('table')!.external).toMatchObject({ location, length: rows * 12 });
    const { bindings } = await bind(opened, host);
    const frozen = await withFrozen(opened, bindings);
    expect(frozen.frozen.map(({ name }) => name)).toEqual(['table']);
    expect(encodeModel(frozen.model).length).toBeLessThan(2000);
  },
);

test.each([false, true])('and adds what it adds (external: %s)', async (external) => {
  const plain = await makeTinyRun();
  folders.push(plain.folder);
  const runs = new LoadedRuns(host);
  const logitsOf = async (config: string) => {
    const { network, examples } = await runs.get(config);
    const { logits } = await predict(network, examples('train'), [0, 1, 2], 2, quietTask());
    await network.release();
    return logits;
  };
  const means = [0, 1, 2].map((column) => {
    let sum = 0;
    for (let row = 0; row < rows; row++) sum += table[row * 3 + column]!;
    return sum / rows;
  });
  const without = await logitsOf(plain.config);
  const found = await logitsOf(await runWithTable(external));
  found.forEach((value, index) => {
    expect(value).toBeCloseTo(without[index]! + means[index % 3]!, 4);
  });
  expect(Math.max(...means.map(Math.abs))).toBeGreaterThan(1e-3);
});
