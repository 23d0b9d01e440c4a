import { WhenceError } from '../../protocol/errors';
import type { Preview } from '../../protocol/model';
import type { RawBatch } from '../dataset';

/** Columns and keys that hold the text of an example, in order of preference. */
export const textNames: readonly string[] = ['text', 'sentence', 'content', 'document', 'prompt'];

const longestPreview = 2000;

export function textPreview(text: string): Preview {
  return { kind: 'text', text: text.length > longestPreview ? `${text.slice(0, longestPreview)}…` : text };
}

/** What a data set of texts answers where numbers are asked of it. */
export async function noNumbers(file: string): Promise<RawBatch> {
  throw needsTokenizer(file);
}

export function needsTokenizer(file: string): WhenceError {
  return new WhenceError('config-invalid', 'The examples are texts, and nothing says how the model reads them.', {
    file,
    place: 'preprocess.tokenizer',
    mend: 'Add "tokenizer": { "file": "tokenizer.json" } to "preprocess" of whence.json, or name columns of numbers in `features`.',
  });
}
