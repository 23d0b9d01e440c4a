import { describe, expect, test } from 'vitest';
import { openCheckpoint, recogniseCheckpoint } from '../../../../src/formats/checkpoints';
import { encodeSafetensors, readSafetensors } from '../../../../src/formats/checkpoints/safetensors';
import { readFloat32, readTensor } from '../../../../src/formats/tensor';
import type { Tensor } from '../../../../src/onnx/runtime';
import { failureOf, fixture, sourceOf } from '../files';

/** A file of the given header and as many bytes of data. */
function file(header: unknown, bytes: number, claimed?: number) {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const content = new Uint8Array(8 + text.length + bytes);
  new DataView(content.buffer).setBigUint64(0, BigInt(claimed ?? text.length), true);
  content.set(text, 8);
  return sourceOf(content, '/run/step-1.safetensors');
}

const tensor = (from: number, to: number, shape = [(to - from) / 4], dtype = 'F32') => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

describe('readSafetensors', () => {
  test('reads what the Python package wrote, every type', async () => {
    const { tensors, metadata } = await readSafetensors(fixture('dtypes.safetensors'));
    expect(metadata).toEqual({ step: '790', author: 'größer' });
    const read = async (name: string) => readTensor(tensors.get(name)!);
    const values = [0, -0, 1, -1.5, 65504, 2 ** -24];
    expect(await read('float32')).toEqual({ dtype: 'float32', dims: [2, 3], data: Float32Array.from(values) });
    expect((await read('float64')).data).toEqual(Float64Array.from(values, (value) => value / 3));
    expect(await read('int64')).toEqual({ dtype: 'int64', dims: [2], data: BigInt64Array.of(-1n, 2n ** 40n) });
    expect((await read('int32')).data).toEqual(Int32Array.of(-7, 8));
    expect((await read('uint8')).data).toEqual(Uint8Array.of(0, 255));
    expect((await read('bool')).data).toEqual(Uint8Array.of(1, 0, 1));
    expect(await read('scalar')).toEqual({ dtype: 'float32', dims: [], data: Float32Array.of(2.5) });
    expect(await read('empty')).toEqual({ dtype: 'float32', dims: [0, 3], data: new Float32Array(0) });
  });

  test('gives every floating type as float32', async () => {
    const { tensors } = await readSafetensors(fixture('dtypes.safetensors'));
    const values = [0, -0, 1, -1.5, 65504, 2 ** -24];
    expect([...(await readFloat32(tensors.get('float16')!))]).toEqual(values);
    expect([...(await readFloat32(tensors.get('bfloat16')!))]).toEqual([0, -0, 1, -1.5, 65536, 2 ** -24]);
    expect([...(await readFloat32(tensors.get('float64')!))]).toEqual(values.map((value) => Math.fround(value / 3)));
    expect(await failureOf(readFloat32(tensors.get('int64')!))).toMatchObject({
      code: 'unsupported-dtype',
      details: { place: 'tensor int64' },
    });
  });

  test('names file, tensor and element of a weight that is not finite', async () => {
    const { tensors } = await readSafetensors(fixture('not-finite.safetensors'));
    const error = await failureOf(readFloat32(tensors.get('fc.weight')!));
    expect(error).toMatchObject({ code: 'not-finite', message: 'Tensor fc.weight holds NaN at element 1.' });
    expect(error.details.file).toContain('not-finite.safetensors');
    expect(error.details.place).toBe('tensor fc.weight, element 1');
  });

  test.each([
    ['an empty file', sourceOf([]), 'truncated-file', 'byte 0'],
    ['a file shorter than a header length', sourceOf([1, 2, 3]), 'truncated-file', 'byte 0'],
    ['a header longer than the file', file({}, 0, 500), 'truncated-file', 'byte 8'],
    ['a header of absurd length', file({}, 0, 2 ** 40), 'malformed-file', 'byte 0'],
    ['a header that is no JSON', file('{"a": ', 0), 'malformed-file', 'byte 8'],
    ['a header that is no object', file([1], 0), 'malformed-file', 'byte 8'],
    ['a header that is no UTF-8', sourceOf([2, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0xff]), 'malformed-file', 'byte 8'],
    ['data cut off', file({ a: tensor(0, 8), b: tensor(8, 16) }, 12), 'truncated-file', 'tensor b'],
    ['data too long', file({ a: tensor(0, 8) }, 12), 'malformed-file', 'byte 70'],
    ['overlapping tensors', file({ a: tensor(0, 8), b: tensor(4, 12) }, 12), 'malformed-file', 'tensor b'],
    ['a hole', file({ a: tensor(0, 4), b: tensor(8, 12) }, 12), 'malformed-file', 'tensor b'],
    ["a size that is not the shape's", file({ a: tensor(0, 8, [3]) }, 8), 'malformed-file', 'tensor a'],
    ['a negative shape', file({ a: tensor(0, 8, [-2]) }, 8), 'malformed-file', 'tensor a'],
    ['a shape of overflowing size', file({ a: tensor(0, 8, [2 ** 40, 2 ** 40]) }, 8), 'malformed-file', 'tensor a'],
    ['offsets that fall', file({ a: { ...tensor(0, 8), data_offsets: [8, 0] } }, 8), 'malformed-file', 'tensor a'],
    ['offsets that are missing', file({ a: { dtype: 'F32', shape: [2] } }, 8), 'malformed-file', 'tensor a'],
    ['an unknown type', file({ a: tensor(0, 8, [8], 'F8_E4M3') }, 8), 'unsupported-dtype', 'tensor a'],
    ['a type from Object.prototype', file({ a: tensor(0, 8, [8], 'constructor') }, 8), 'unsupported-dtype', 'tensor a'],
    ['no type', file({ a: { shape: [2], data_offsets: [0, 8] } }, 8), 'malformed-file', 'tensor a'],
    ['an entry that is no object', file({ a: 5 }, 0), 'malformed-file', 'tensor a'],
    ['metadata that are no texts', file({ __metadata__: { step: 3 } }, 0), 'malformed-file', '__metadata__'],
    [
      'a name given twice',
      file(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        4,
      ),
      'malformed-file',
      'tensor a',
    ],
  ])('refuses %s', async (_, source, code, place) => {
    const error = await failureOf(readSafetensors(source));
    expect(error).toMatchObject({ code, details: { file: source.path, place } });
    expect(error.details.mend).toBeTruthy();
  });

  test('refuses a real file at whatever byte it is cut', async () => {
    const whole = fixture('mlp.safetensors');
    for (let size = 0; size < whole.size; size++) {
      const cut = sourceOf(await whole.read(0, size), '/run/step-5.safetensors');
      const error = await failureOf(openCheckpoint(cut));
      expect(['truncated-file', 'malformed-file']).toContain(error.code);
    }
  });
});

describe('encodeSafetensors', () => {
  const tensors = new Map<string, Tensor>([
    ['flags', { dtype: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) }],
    ['weight', { dtype: 'float32', dims: [2, 2], data: Float32Array.of(1, -2, 0.5, 1e-30) }],
    ['Λ', { dtype: 'float64', dims: [1], data: Float64Array.of(Math.PI) }],
    ['count', { dtype: 'int64', dims: [], data: BigInt64Array.of(-5n) }],
    ['half', { dtype: 'float16', dims: [1], data: Uint16Array.of(0x3c00) }],
  ]);

  test('is read back as it was, data aligned to 8 bytes', async () => {
    const chunks = encodeSafetensors(tensors, { hash: 'abc' });
    expect(chunks[0]!.length % 8).toBe(0);
    const content = await readSafetensors(sourceOf(chunks.flatMap((chunk) => [...chunk])));
    expect(content.metadata).toEqual({ hash: 'abc' });
    expect(content.tensors.size).toBe(tensors.size);
    for (const [name, tensor] of tensors) {
      const ref = content.tensors.get(name)!;
      expect(await readTensor(ref)).toEqual(tensor);
      expect(ref.offset % tensor.data.BYTES_PER_ELEMENT).toBe(0);
    }
  });

  test('writes only the part of memory that a view shows', async () => {
    const memory = Float32Array.of(9, 1, 2, 9);
    const view = new Map<string, Tensor>([['v', { dtype: 'float32', dims: [2], data: memory.subarray(1, 3) }]]);
    const { tensors: read } = await readSafetensors(sourceOf(encodeSafetensors(view).flatMap((chunk) => [...chunk])));
    expect((await readTensor(read.get('v')!)).data).toEqual(Float32Array.of(1, 2));
  });
});

describe('openCheckpoint', () => {
  test('goes by content, not by name', async () => {
    const real = fixture('mlp.safetensors');
    const disguised = sourceOf(await real.read(0, real.size), '/run/weights.bin');
    expect((await openCheckpoint(disguised)).tensors.has('fc1.weight')).toBe(true);
    expect((await recogniseCheckpoint(fixture('float32.npy')))?.name).toBeUndefined();
  });

  test('says what to do with a file of another format', async () => {
    const picture = sourceOf([0x89, 0x50, 0x4e, 0x47, ...new Array(60).fill(0)], '/run/step-5.png');
    expect(await failureOf(openCheckpoint(picture))).toMatchObject({
      code: 'unsupported-format',
      details: { file: '/run/step-5.png', mend: expect.stringContaining('torch.save') },
    });
  });
});
