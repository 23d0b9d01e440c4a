import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { isRecord } from './safetensorsHeader';

/** A log of a million steps is smaller. */
const largestJson = 2 ** 28;

/** Reads a JSON object that Python wrote. Fails with `malformed-file`. */
export async function readJson(source: ByteSource): Promise<Record<string, unknown>> {
  const details = { file: source.path, place: 'byte 0', mend: 'Copy the file again.' };
  if (source.size > largestJson) {
    throw new WhenceError(
      'unsupported-format',
      `The file takes ${source.size} bytes, too many for what it is.`,
      details,
    );
  }
  const text = new TextDecoder('utf-8').decode(await source.read(0, source.size));
  let content: unknown;
  try {
    // Python writes numbers that JSON does not have.
    content = JSON.parse(text.replace(/([:[,]\s*)(?:NaN|-?Infinity)(?=\s*[,}\]])/g, '$1null'));
  } catch (cause) {
    throw new WhenceError('malformed-file', `The file is not valid JSON (${(cause as Error).message}).`, details);
  }
  if (isRecord(content)) return content;
  throw new WhenceError('malformed-file', 'The file is not a JSON object.', details);
}
