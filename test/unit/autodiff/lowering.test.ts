import { expect, test } from 'vitest';
import { encodeModel } from '../../../src/onnx/encode';
import type { Model } from '../../../src/onnx/graph';
import { lower, lowerings } from '../../../src/onnx/lowering';
import { probeTypes } from '../../../src/onnx/shape';
import { numbersOf } from '../../../src/onnx/tensor';
import { createRuntime } from '../../../src/worker/session';
import { lowered } from './checks/lowered';
import { type GradientCheck, modelOf, outputNames } from './gradientCheck';

const runtime = createRuntime('cpu', 1);

async function results(model: Model, check: GradientCheck): Promise<Record<string, readonly number[]>> {
  const names = outputNames(check);
  const session = await runtime.createSession(encodeModel(model, names));
  const found = await session.run(check.inputs, names);
  await session.release();
  return Object.fromEntries(names.map((name) => [name, numbersOf(found[name]!)]));
}

test('every op that is lowered has a check', () => {
  const checked = new Set(lowered.flatMap((check) => [check.op, ...(check.nodes ?? []).map(({ op }) => op)]));
  expect(Object.keys(lowerings).filter((op) => !checked.has(op))).toEqual([]);
});

test.each(lowered.map((check) => [`${check.op}: ${check.what}`, check] as const))(
  "%s is lowered to ops with the runtime's own results",
  async (_name, check) => {
    const model = modelOf(check);
    const types = await probeTypes(model, runtime, check.inputs);
    const plain = lower({ model, types });
    const left = plain.model.graph.nodes.map(({ op, domain }) => (domain === '' ? op : `${domain}.${op}`));
    expect(left.filter((op) => op === check.op && op !== 'LayerNormalization')).toEqual([]);
    for (const { outputs } of plain.model.graph.nodes)
      for (const output of outputs) expect(plain.types.has(output)).toBe(true);
    const [ours, theirs] = [await results(plain.model, check), await results(model, check)];
    for (const name of outputNames(check)) {
      ours[name]!.forEach((value, index) => {
        expect.soft(value, name).toBeCloseTo(theirs[name]![index]!, 5);
      });
    }
  },
);
