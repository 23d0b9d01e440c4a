import { WhenceError } from '../../protocol/errors';
import type { ByteSource, Files } from '../bytes';
import type { TensorRef } from '../tensor';
import type { CheckpointContent } from './content';
import { readJson } from './json';
import { isSafetensors, readSafetensors } from './safetensors';
import { isRecord } from './safetensorsHeader';
import { contentOf } from './torch/content';
import { readTorchFile } from './torch/torch';

/** The map follows a short header of metadata. */
const searched = 4096;
const mend = 'Copy the whole folder again, index and shards.';

/** Whether a file is the index of weights that lie in several files. */
export async function isShardIndex(head: Uint8Array, source: ByteSource): Promise<boolean> {
  if (head[0] !== 0x7b) return false;
  const start = await source.read(0, Math.min(searched, source.size));
  return new TextDecoder('utf-8').decode(start).includes('"weight_map"');
}

/**
 * Reads the tensors that an index of shards lists, `model.safetensors.index.json` or `pytorch_model.bin.index.json`, from the
 * files beside it.
 * @throws WhenceError `malformed-file` for shards outside the index's folder and tensors that a shard lacks, `not-found` for
 * shards that are missing; each by its name
 */
export async function readSharded(source: ByteSource, files?: Files): Promise<CheckpointContent> {
  const { weight_map: map, metadata } = await readJson(source);
  if (!isRecord(map)) throw refuse(source, 'weight_map', 'The index does not say which file holds which tensor.');
  if (!files) throw new WhenceError('bad-argument', 'An index of shards cannot be read without its folder.');
  const shards = new Map<string, ReadonlyMap<string, TensorRef>>();
  const tensors = new Map<string, TensorRef>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || shard === '' || shard === '.' || /[\\/]|^\.\.$|^[A-Za-z]:/.test(shard)) {
      const shown = String(shard).slice(0, 100);
      throw refuse(
        source,
        `tensor ${name}`,
        `The index puts tensor ${name} into "${shown}", which is no file beside it.`,
      );
    }
    const held = shards.get(shard) ?? (await readShard(shard, source, files));
    shards.set(shard, held);
    const ref = held.get(name);
    if (!ref)
      throw refuse(source, `tensor ${name}`, `The shard ${shard} does not hold tensor ${name}, as the index says.`);
    tensors.set(name, ref);
  }
  if (tensors.size === 0) throw refuse(source, 'weight_map', 'The index lists no tensors.');
  const texts = Object.entries(isRecord(metadata) ? metadata : {}).map(([key, value]) => [key, String(value)]);
  return { tensors, metadata: Object.fromEntries(texts) };
}

async function readShard(shard: string, index: ByteSource, files: Files): Promise<ReadonlyMap<string, TensorRef>> {
  const path = files.join(files.dirname(index.path), shard);
  if (!(await files.exists(path))) {
    const details = { file: index.path, place: 'weight_map', mend };
    throw new WhenceError('not-found', `The shard ${shard}, which the index names, is not beside it.`, details);
  }
  const source = await files.open(path);
  const head = await source.read(0, Math.min(16, source.size));
  const isTorch = (head[0] === 0x50 && head[1] === 0x4b) || head[0] === 0x80;
  if (isTorch && !isSafetensors(head)) return (await contentOf(await readTorchFile(source))).tensors;
  return (await readSafetensors(source)).tensors;
}

function refuse(source: ByteSource, place: string, message: string): WhenceError {
  return new WhenceError('malformed-file', message, { file: source.path, place, mend });
}
