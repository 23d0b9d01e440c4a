import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ByteSource, Files } from '../../../../src/formats/bytes';
import { openCheckpoint } from '../../../../src/formats/checkpoints';
import { readTrainingState } from '../../../../src/formats/checkpoints/readTrainingState';
import { readTensor } from '../../../../src/formats/tensor';
import { WhenceError } from '../../../../src/protocol/errors';
import { memorySource } from '../../../../src/worker/fileSource';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { checkpointFixtures } from './fixtures';

/** Kept fixed, so that what fails once fails again. */
const seed = 20240613;
const flips = 200;
/** Files up to here are cut at every byte, larger ones at every byte of their ends and at some between. */
const smallFile = 3000;

const names = readdirSync(checkpointFixtures)
  .filter((name) => name.endsWith('.json'))
  .map((name) => (JSON.parse(readFileSync(join(checkpointFixtures, name), 'utf8')) as { file: string }).file);
const whole = nodeFiles();

describe.each(names)('%s', (name) => {
  const path = join(checkpointFixtures, name);
  const bytes = new Uint8Array(readFileSync(path));

  test('is refused at whatever byte it is cut, or read as far as it is whole', async () => {
    for (const size of cuts(bytes.length)) await check(path, bytes.slice(0, size));
  });

  test('is refused or read with any bits flipped', async () => {
    const random = generator(seed);
    for (let round = 0; round < flips; round++) {
      const damaged = bytes.slice();
      // Half of the flips hit the first and the last kilobytes, where headers and directories are.
      for (let flip = 0; flip <= round % 3; flip++) {
        const anywhere = Math.floor(random() * bytes.length);
        const nearEnds = Math.floor(random() * Math.min(2048, bytes.length));
        const position = round % 2 ? anywhere : round % 4 ? nearEnds : bytes.length - 1 - nearEnds;
        damaged[position]! ^= 1 << Math.floor(random() * 8);
      }
      await check(path, damaged);
    }
  });
});

describe.each(['trainer_state.json', 'optimizer.pt', 'training_args.bin'])('%s beside a checkpoint', (name) => {
  const weights = join(checkpointFixtures, 'trainer/checkpoint-3/model.safetensors');
  const path = join(checkpointFixtures, 'trainer/checkpoint-3', name);
  const bytes = new Uint8Array(readFileSync(path));

  test('is refused by its own name when it is damaged', async () => {
    const random = generator(seed);
    const damages = cuts(bytes.length)
      .filter((size) => size % 7 === 0 || size < 200)
      .map((size) => bytes.slice(0, size));
    for (let round = 0; round < flips; round++) {
      const damaged = bytes.slice();
      damaged[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8);
      damages.push(damaged);
    }
    let refused = 0;
    for (const damaged of damages) {
      const error = await readTrainingState(weights, withFile(path, damaged)).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (error !== undefined) expectClear(error, path);
      if (error !== undefined) refused++;
    }
    expect(refused).toBeGreaterThan(10);
  });
});

/** Opens and reads all; whatever fails must fail with words and a place. */
async function check(path: string, bytes: Uint8Array): Promise<void> {
  const files = withFile(path, bytes);
  try {
    const { tensors, state } = await openCheckpoint(await files.open(path), files);
    for (const ref of [...tensors.values(), ...(state?.optimizer?.secondMoments.values() ?? [])]) {
      const { data } = await readTensor(ref);
      expect(data.length).toBe(ref.dims.reduce((product, dim) => product * dim, 1));
      expect(data.byteLength).toBeLessThan(2 ** 28);
    }
  } catch (error) {
    expectClear(error, path);
  }
}

function expectClear(error: unknown, path: string): void {
  if (!(error instanceof WhenceError) || error.code === 'internal') throw error;
  expect(error.details.file).toBeTruthy();
  expect(error.details.mend, `${error.message} (${path})`).toBeTruthy();
  expect(error.message).toMatch(/\.$/);
}

function withFile(path: string, bytes: Uint8Array): Files {
  const open = async (asked: string): Promise<ByteSource> =>
    asked === path ? memorySource(path, bytes) : whole.open(asked);
  return { ...whole, open };
}

function cuts(length: number): readonly number[] {
  const all = Array.from({ length }, (_, size) => size);
  return all.filter((size) => length <= smallFile || size < 1000 || length - size < 500 || size % 37 === 0);
}

/** Numbers in [0, 1): mulberry32. */
function generator(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
