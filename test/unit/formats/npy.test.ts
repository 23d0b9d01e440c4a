import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { encodeNpy, readNpy } from '../../../src/formats/npy';
import { readFloat32 } from '../../../src/formats/tensor';
import { failureOf, fixture, fixtures, sourceOf } from './files';

const grid = Array.from({ length: 24 }, (_, index) => index);

describe('readNpy', () => {
  test('reads what numpy saved', async () => {
    expect(await readNpy(fixture('float32.npy'))).toEqual({
      dtype: 'float32',
      dims: [2, 3, 4],
      data: Float32Array.from(grid, (value) => value / 8),
    });
    expect((await readNpy(fixture('float64.npy'))).data).toEqual(Float64Array.from(grid, (value) => value / 3));
    expect(await readNpy(fixture('int64.npy'))).toEqual({
      dtype: 'int64',
      dims: [2],
      data: BigInt64Array.of(-1n, 2n ** 53n + 1n),
    });
    expect(await readNpy(fixture('bool.npy'))).toEqual({ dtype: 'bool', dims: [1, 2], data: Uint8Array.of(1, 0) });
    expect(await readNpy(fixture('scalar.npy'))).toEqual({ dtype: 'float32', dims: [], data: Float32Array.of(7) });
    expect((await readNpy(fixture('version2.npy'))).data).toEqual(Uint8Array.of(1, 2, 3));
    expect((await readNpy(fixture('float16.npy'))).data).toEqual(Uint16Array.of(0x3800, 0xc000, 0x7bff));
  });

  test('turns Fortran order into rows', async () => {
    expect(await readNpy(fixture('fortran.npy'))).toEqual({
      dtype: 'int16',
      dims: [2, 3, 4],
      data: Int16Array.from(grid),
    });
  });

  test.each([
    ['big-endian.npy', 'unsupported-dtype'],
    ['objects.npy', 'unsupported-dtype'],
    ['mlp.safetensors', 'malformed-file'],
  ])('refuses %s', async (name, code) => {
    expect(await failureOf(readNpy(fixture(name)))).toMatchObject({ code, details: { file: `${fixtures}${name}` } });
  });

  test('refuses a file at whatever byte it is cut, and one with a tail', async () => {
    const whole = fixture('float32.npy');
    for (let size = 0; size < whole.size; size += 3) {
      const error = await failureOf(readNpy(sourceOf(await whole.read(0, size))));
      expect(['truncated-file', 'malformed-file', 'unsupported-dtype']).toContain(error.code);
    }
    const longer = sourceOf([...(await whole.read(0, whole.size)), 0]);
    expect(await failureOf(readNpy(longer))).toMatchObject({ code: 'malformed-file', details: { place: 'byte 224' } });
  });
});

describe('encodeNpy', () => {
  test.each(['float32.npy', 'float64.npy', 'int64.npy', 'bool.npy', 'scalar.npy', 'float16.npy'])(
    'writes the very bytes of numpy: %s',
    async (name) => {
      const written = encodeNpy(await readNpy(fixture(name)));
      expect(Buffer.from(written).equals(readFileSync(`${fixtures}${name}`))).toBe(true);
    },
  );

  test('refuses bfloat16, which numpy does not know', () => {
    expect(() => encodeNpy({ dtype: 'bfloat16', dims: [1], data: Uint16Array.of(0) })).toThrow('cannot hold bfloat16');
  });
});

test('a tensor whose bytes and shape disagree is not read', async () => {
  const ref = { name: 'w', dtype: 'float32', dims: [3], source: sourceOf([0, 0, 0, 0]), offset: 0, length: 4 } as const;
  expect(await failureOf(readFloat32(ref))).toMatchObject({ code: 'malformed-file', details: { place: 'tensor w' } });
});
