import type { ByteSource } from '../../bytes';
import { isPickle } from '../../pickle/pickle';
import { isZip, readZip } from '../../zip';
import type { CheckpointContent } from '../content';
import { pickleEntry, readArchive, type TorchFile } from './archive';
import { contentOf } from './content';
import { readStream } from './legacy';

/** Whether a zip archive is one of torch.save; one whose directory is lost may be, and reading it says what is wrong. */
export async function isTorchArchive(head: Uint8Array, source: ByteSource): Promise<boolean> {
  if (!isZip(head)) return false;
  const entries = await readZip(source).catch(() => undefined);
  return entries === undefined || pickleEntry(entries) !== undefined;
}

/** Reads the weights in a zip archive of torch.save: a state dict, a training checkpoint around one, or a whole module. */
export async function readTorchArchive(source: ByteSource): Promise<CheckpointContent> {
  return contentOf(await readArchive(source));
}

/** A stream of torch.save without the zip archive, or weights in a plain pickle. */
export function isTorchStream(head: Uint8Array): boolean {
  return isPickle(head);
}

/** Reads the weights in the older stream of torch.save, or in a plain pickle of tensors or NumPy arrays. */
export async function readTorchStream(source: ByteSource): Promise<CheckpointContent> {
  return contentOf(await readStream(source));
}

/** What a file of torch.save holds, in either of its forms, weights or not. */
export async function readTorchFile(source: ByteSource): Promise<TorchFile> {
  return isZip(await source.read(0, Math.min(4, source.size))) ? readArchive(source) : readStream(source);
}
