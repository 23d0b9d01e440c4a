import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { type CheckpointContent, isSafetensors, readSafetensors } from './safetensors';

export type { CheckpointContent } from './safetensors';

/** A way in which weights are saved. Files are recognised by their first bytes, whatever they are called. */
export interface CheckpointFormat {
  readonly name: string;
  /** Lower-case ends of names, for files too damaged to be recognised. */
  readonly extensions: readonly string[];
  recognise(head: Uint8Array): boolean;
  read(source: ByteSource): Promise<CheckpointContent>;
}

export const checkpointFormats: readonly CheckpointFormat[] = [
  { name: 'safetensors', extensions: ['.safetensors'], recognise: isSafetensors, read: readSafetensors },
];

/** The checkpoint format of a file by its content; undefined where there is none. */
export async function recogniseCheckpoint(source: ByteSource): Promise<CheckpointFormat | undefined> {
  const head = await source.read(0, Math.min(16, source.size));
  return checkpointFormats.find((format) => format.recognise(head));
}

/** Opens a checkpoint of any format of the table; `unsupported-format` where its content is of none. */
export async function openCheckpoint(source: ByteSource): Promise<CheckpointContent> {
  const format =
    (await recogniseCheckpoint(source)) ??
    checkpointFormats.find((one) => one.extensions.some((end) => source.path.toLowerCase().endsWith(end)));
  if (format) return format.read(source);
  throw new WhenceError(
    'unsupported-format',
    'The file is no checkpoint of a format that Whence reads (safetensors).',
    {
      file: source.path,
      mend: "Save checkpoints with safetensors.torch.save_file(model.state_dict(), 'step-1000.safetensors').",
    },
  );
}
