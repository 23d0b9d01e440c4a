import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodePicture } from '../../../../src/formats/images';
import { preparedDims, preparePicture } from '../../../../src/formats/images/prepare';
import type { PreprocessConfig } from '../../../../src/formats/transform';

const folder = new URL('../../../fixtures/images/', import.meta.url);

interface Case {
  readonly image: string;
  readonly config: PreprocessConfig;
  readonly dims: readonly number[];
  readonly pixels: string;
  readonly inputDims?: readonly number[];
  readonly inputs?: string;
}

const { cases } = JSON.parse(readFileSync(new URL('transforms.json', folder), 'utf8')) as { cases: readonly Case[] };
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const decoded = (name: string) => decodePicture(new Uint8Array(readFileSync(new URL(name, folder))), name);

describe("pictures are resized and cropped to the very bytes of torchvision's transforms", () => {
  it.each(cases.map((one) => [`${one.image} ${JSON.stringify(one.config)}`, one] as const))('%s', (_, one) => {
    const isGrey = one.dims.length === 2;
    const config = isGrey ? { ...one.config, channels: 'grey' as const } : one.config;
    const picture = decoded(one.image);
    const { width, height, channels, data } = preparePicture(picture, config);
    expect(isGrey ? [height, width] : [height, width, channels]).toEqual(one.dims);
    expect(preparedDims(picture, config)).toEqual([height, width, channels]);
    expect(hashOf(data)).toBe(one.pixels);
  });
});
