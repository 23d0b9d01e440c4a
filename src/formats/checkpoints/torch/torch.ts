import type { ByteSource } from '../../bytes';
import { isZip, readZip } from '../../zip';
import type { CheckpointContent } from '../content';
import { pickleEntry, readArchive } from './archive';
import { contentOf } from './content';

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
