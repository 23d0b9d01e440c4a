import { expect, test } from 'vitest';
import { backward } from '../../../src/autodiff/backward';
import { gradientRules, portableRules } from '../../../src/autodiff/rules';
import { GraphBuilder } from '../../../src/onnx/builder';
import { isFloat } from '../../../src/onnx/dtype';
import { lower } from '../../../src/onnx/lowering';
import { probeTypes } from '../../../src/onnx/shape';
import { createRuntime } from '../../../src/worker/session';
import { type GradientCheck, modelOf, outputNames } from './gradientCheck';
import { gradientChecks } from './gradientChecks';

const runtime = createRuntime('cpu', 1);

/** Ops in a check's gradients, or in what it is lowered to, that put out floats made of other floats. */
async function emittedOps(check: GradientCheck, portable: boolean): Promise<readonly string[]> {
  const model = modelOf(check);
  const fed = Object.fromEntries(Object.entries(check.inputs).filter(([name]) => !name.startsWith('absent')));
  const typed = lower({ model, types: await probeTypes(model, runtime, fed) });
  const b = new GraphBuilder(typed.model, typed.types);
  const floats = Object.keys(fed).filter((name) => isFloat(b.dtype(name)));
  const outputs = outputNames(check).filter((name) => isFloat(b.dtype(name)));
  // Seeds that are inputs: constants would let rules leave out what only other seeds need.
  const seeds = new Map(outputs.map((name) => [name, b.input(`seed_${name}`, b.typeOf(name))]));
  backward(b, seeds, floats, { portable });
  const fromFloats = b.nodes.filter(
    ({ inputs, outputs: made, op }) =>
      op !== 'SplitToSequence' &&
      made.some((name) => b.has(name) && isFloat(b.dtype(name))) &&
      inputs.some((name) => name !== '' && b.has(name) && isFloat(b.dtype(name))),
  );
  return fromFloats.map(({ op }) => op);
}

test.each([false, true])('every op that a rule emits has a rule itself, portable %s', async (portable) => {
  const rules = { ...gradientRules, ...(portable ? portableRules : {}) };
  const without = new Map<string, string>();
  for (const check of gradientChecks) {
    for (const op of await emittedOps(check, portable)) {
      if (!Object.hasOwn(rules, op)) without.set(op, `${check.op}: ${check.what}`);
    }
  }
  expect([...without]).toEqual([]);
});
