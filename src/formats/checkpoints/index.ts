import { WhenceError } from '../../protocol/errors';
import type { ByteSource, Files } from '../bytes';
import { isAdapter, withModelNames } from './adapter';
import type { CheckpointContent } from './content';
import { foreignFile, unknownMend } from './foreign';
import { isOnnx, readOnnx } from './onnx';
import { isSafetensors, readSafetensors } from './safetensors';
import { isShardIndex, readSharded } from './sharded';
import { isTorchArchive, isTorchStream, readTorchArchive, readTorchStream } from './torch/torch';

export type { CheckpointContent } from './content';

/** A way in which weights are saved. Files are recognised by their content, whatever they are called. */
export interface CheckpointFormat {
  readonly name: string;
  /** Lower-case ends of names, for files too damaged to be recognised. */
  readonly extensions: readonly string[];
  /** @param head the file's first bytes, up to 512 */
  recognise(head: Uint8Array, source: ByteSource): boolean | Promise<boolean>;
  /** @param files where a checkpoint of several files finds the others */
  read(source: ByteSource, files?: Files): Promise<CheckpointContent>;
}

export const checkpointFormats: readonly CheckpointFormat[] = [
  { name: 'safetensors', extensions: ['.safetensors'], recognise: isSafetensors, read: readSafetensors },
  { name: 'torch', extensions: ['.pt', '.pth', '.ckpt'], recognise: isTorchArchive, read: readTorchArchive },
  { name: 'torch-stream', extensions: [], recognise: isTorchStream, read: readTorchStream },
  { name: 'sharded', extensions: ['.index.json'], recognise: isShardIndex, read: readSharded },
  { name: 'onnx', extensions: ['.onnx'], recognise: isOnnx, read: readOnnx },
];

const headBytes = 512;

/** The checkpoint format of a file by its content; undefined where there is none. */
export async function recogniseCheckpoint(source: ByteSource): Promise<CheckpointFormat | undefined> {
  const head = await source.read(0, Math.min(headBytes, source.size));
  for (const format of checkpointFormats) if (await format.recognise(head, source)) return format;
  return undefined;
}

/**
 * Opens a checkpoint of any format of the table.
 * @param files for checkpoints of several files, such as shards with an index
 * @throws WhenceError `unsupported-format` where its content is of no format, or holds no weights
 */
export async function openCheckpoint(source: ByteSource, files?: Files): Promise<CheckpointContent> {
  const format =
    (await recogniseCheckpoint(source)) ??
    checkpointFormats.find((one) => one.extensions.some((end) => source.path.toLowerCase().endsWith(end)));
  if (format) {
    const content = await format.read(source, files);
    return isAdapter(content) ? withModelNames(content, source.path, files) : content;
  }
  const known = checkpointFormats.map(({ name }) => name).join(', ');
  const foreign = foreignFile(await source.read(0, Math.min(headBytes, source.size)));
  throw new WhenceError(
    'unsupported-format',
    `The file is no checkpoint of a format that Whence reads (${known})${foreign ? `: it is ${foreign.kind}` : ''}.`,
    { file: source.path, mend: foreign?.mend ?? unknownMend },
  );
}
