import { expect, test } from 'vitest';
import { dtypes } from '../../../src/onnx/dtype';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '../../../src/onnx/float16';
import { bytesOf, numbersOf, tensorFromBytes, tensorOf } from '../../../src/onnx/tensor';

test.each(dtypes.filter((dtype) => dtype !== 'string'))('%s goes to bytes and back', (dtype) => {
  const tensor = tensorOf(dtype, [3], [0, 1, 1]);
  expect(numbersOf(tensorFromBytes(dtype, [3], bytesOf(tensor)))).toEqual([0, 1, 1]);
});

test('halves: every finite one is its own nearest', () => {
  const halves = Array.from({ length: 0x7c00 }, (_, half) => half);
  expect(halves.filter((half) => toFloat16(fromFloat16(half)) !== half)).toEqual([]);
  expect(halves.filter((half) => toFloat16(-fromFloat16(half)) !== (half | 0x8000))).toEqual([]);
});

test.each([
  [65504, 0x7bff],
  [65519, 0x7bff],
  [65520, 0x7c00],
  [Number.POSITIVE_INFINITY, 0x7c00],
  [-1e9, 0xfc00],
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [2 ** -25, 0],
  [2 ** -24, 1],
  [1.5 * 2 ** -24, 2],
  [2 ** -14 - 2 ** -26, 0x0400],
])('the half nearest to %d', (value, half) => {
  expect(toFloat16(value)).toBe(half);
});

test('not-a-numbers stay so', () => {
  expect(fromFloat16(toFloat16(Number.NaN))).toBeNaN();
  expect(fromBfloat16(toBfloat16(Number.NaN))).toBeNaN();
});

test.each([
  [1, 0x3f80],
  [-2, 0xc000],
  [1 + 2 ** -8, 0x3f80],
  [1 + 3 * 2 ** -8, 0x3f82],
  [1e39, 0x7f80],
])('the bfloat16 nearest to %d', (value, half) => {
  expect(toBfloat16(value)).toBe(half);
});

test('sizes that disagree are refused', () => {
  expect(() => tensorFromBytes('float32', [2], new Uint8Array(9))).toThrow(
    expect.objectContaining({ code: 'malformed-file' }),
  );
  expect(() => tensorOf('float32', [2], [1])).toThrow(expect.objectContaining({ code: 'internal' }));
});
