import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeModel } from '../../../src/onnx/encode';
import { forWebGpu } from '../../../src/onnx/webgpu';
import type { CheckProcess } from '../../../src/worker/checkProcess';
import { acceptedDifference } from '../../../src/worker/providers';
import { takenFeeds } from '../../support/fixtureSubject';
import { gradientModel } from '../../support/gradientModel';
import { checkerIn, findSoftwareVulkan, startCheckOn } from '../../support/softwareVulkan';
import type { GradientCheck } from '../autodiff/gradientCheck';
import { gradientChecks } from '../autodiff/gradientChecks';

/** Every gradient rule, its op forwards and what it emits, on WebGPU against the CPU. */

const folder = mkdtempSync(join(tmpdir(), 'whence-webgpu-rules-'));
symlinkSync(join(import.meta.dirname, '../../../node_modules'), join(folder, 'node_modules'));
afterAll(() => rmSync(folder, { recursive: true }));
const checker = checkerIn(folder);
const vulkan = await findSoftwareVulkan(checker);

/** Vulkan asks no more of these than an absolute error of 2⁻¹¹, and SwiftShader gives little more. */
const coarse = new Set(['Sin', 'Cos', 'Tan', 'Acos', 'Asin', 'Atan']);

/** What onnxruntime 1.30's kernels compute wrongly: a check's op and what it is of. */
const wrong: Readonly<Record<string, readonly string[]>> = {
  ReduceL1: ['nothing'],
  ReduceL2: ['nothing'],
  ReduceSumSquare: ['nothing'],
  // In groups of one output.
  ConvTranspose: ['strides, padding, output padding'],
};
/** What comes out wrong at times, where no axes are named: memory is read before it is written. */
const chance: Readonly<Record<string, readonly string[]>> = { ReduceSum: ['everything'], ReduceMean: ['everything'] };
/** What they refuse, so that the CPU is taken. */
const refused: Readonly<Record<string, readonly string[]>> = { Conv: ['a volume'] };

const ops = [...new Set(gradientChecks.map(({ op }) => op))];

describe.runIf(vulkan.found)('WebGPU', { timeout: 300_000 }, () => {
  let check: CheckProcess;
  beforeAll(() => {
    check = startCheckOn(vulkan, checker);
  });
  afterAll(() => check.end());

  async function difference(one: GradientCheck): Promise<number> {
    const { model, feeds } = await gradientModel(one);
    const portable = forWebGpu(model);
    const trial = { model: encodeModel(portable), feeds: takenFeeds(feeds, portable) };
    return (await check.measure('webgpu', trial, 60_000)).difference;
  }

  test.each(ops)('%s', async (op) => {
    const checks = gradientChecks.filter((one) => one.op === op && !isIdle(one) && !chance[op]?.includes(one.what));
    for (const one of checks) {
      if (refused[op]?.includes(one.what)) await expect.soft(difference(one), one.what).rejects.toThrow();
      else if (wrong[op]?.includes(one.what))
        expect.soft(await difference(one), one.what).toBeGreaterThan(acceptedDifference);
      else expect.soft(await difference(one), one.what).toBeLessThan(coarse.has(op) ? acceptedDifference : 1e-5);
    }
  });
});

/** A device has nothing to do where there are no elements, and no double precision. */
function isIdle({ op, inputs, attributes }: GradientCheck): boolean {
  const { to } = attributes ?? {};
  const toDouble = op === 'Cast' && to?.kind === 'int' && to.value === 11;
  return toDouble || Object.values(inputs).some(({ dims }) => dims.includes(0));
}
