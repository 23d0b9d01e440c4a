import { expect, test } from 'vitest';
import { sortBySteps, stepOf } from '../../../../src/formats/checkpoints/step';

test.each([
  ['step-1000.safetensors', 1000],
  ['/runs/7/ckpt_3_step790.safetensors', 790],
  ['epoch_02.safetensors', 2],
  ['epoch=3-step=1200.safetensors', 1200],
  ['out/checkpoint-500/model.safetensors', 500],
  ['out\\checkpoint-500\\model.safetensors', 500],
  ['checkpoint-500/epoch_3.safetensors', 3],
  ['global_step_64.safetensors', 64],
  ['iter0000123.safetensors', 123],
  ['00042.safetensors', 42],
  ['model_17.safetensors', 17],
  ['model.safetensors', undefined],
  ['model-00001-of-00002.safetensors', undefined],
  ['resnet18x.safetensors', undefined],
])('%s is step %s', (path, step) => {
  expect(stepOf(path)).toBe(step);
});

test('steps order as numbers, files without one come last', () => {
  const files = ['step-1000.st', 'step-9.st', 'final.st', 'step-200.st'];
  expect(sortBySteps(files).map(({ file }) => file)).toEqual(['step-9.st', 'step-200.st', 'step-1000.st', 'final.st']);
});
