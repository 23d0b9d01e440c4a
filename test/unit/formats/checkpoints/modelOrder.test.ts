import { expect, test } from 'vitest';
import { inOrderOf } from '../../../../src/formats/checkpoints/modelOrder';
import type { TensorRef } from '../../../../src/formats/tensor';
import { sourceOf } from '../files';

const source = sourceOf('', '/run/model.safetensors');
const tensors = (...names: readonly string[]) =>
  new Map(
    names.map((name): [string, TensorRef] => [
      name,
      { name, dtype: 'float32', dims: [], source, offset: 0, length: 4 },
    ]),
  );
const order = (names: readonly string[], parameters: readonly string[]) => {
  const found = inOrderOf(tensors(...names), parameters);
  return found && [...found.keys()];
};

test('tensors that a file sorted by name are put into the order of the model', () => {
  expect(order(['a.bias', 'a.weight', 'z.weight'], ['z.weight', 'a.weight', 'a.bias', 'constant'])).toEqual([
    'z.weight',
    'a.weight',
    'a.bias',
  ]);
});

test("a wrapper's name before the model's own is looked through, a like-named end is not", () => {
  expect(order(['b.weight', 'a.weight'], ['model.a.weight', 'model.b.weight'])).toEqual(['a.weight', 'b.weight']);
  expect(order(['y.weight', 'x.weight'], ['y.weight', 'maxx.weight'])).toEqual(['x.weight', 'y.weight']);
});

test('one tensor without a parameter is the tied embedding, with which models begin', () => {
  expect(order(['head.bias', 'wpe.weight', 'wte.weight'], ['wpe.weight', 'head.bias', 'head.weight'])).toEqual([
    'wte.weight',
    'wpe.weight',
    'head.bias',
  ]);
});

test('there is no order where names do not fit', () => {
  expect(order(['a', 'b', 'c'], ['c', 'onnx::MatMul_7', 'onnx::MatMul_8'])).toBeUndefined();
  expect(order(['weight', 'a.weight'], ['m.a.weight', 'n.bias'])).toBeUndefined();
});
