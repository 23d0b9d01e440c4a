import type { ByteSource } from '../../formats/bytes';
import { readNpy } from '../../formats/npy';
import { numbersOf } from '../../onnx/tensor';
import { WhenceError } from '../../protocol/errors';

/** Training examples of every update, in the order of training. */
export type Batches = readonly (readonly number[])[];

/**
 * Reads the batches that a training script wrote: a `.npy` of integers [steps, batch], negative where a batch is shorter, or JSON
 * lines with one list an update.
 * @param examples how many training examples there are
 * @throws WhenceError `malformed-file` naming the update
 */
export async function readBatches(source: ByteSource, examples: number): Promise<Batches> {
  const batches = /\.npy$/i.test(source.path) ? await ofArray(source) : await ofLines(source);
  batches.forEach((batch, step) => {
    const wrong = batch.find((index) => !Number.isInteger(index) || index < 0 || index >= examples);
    if (batch.length === 0 || wrong !== undefined) {
      const what = wrong === undefined ? 'no examples' : `an example ${wrong}`;
      throw malformed(source, `Update ${step + 1} has ${what}; there are ${examples}, from 0.`, `update ${step + 1}`);
    }
  });
  return batches;
}

async function ofArray(source: ByteSource): Promise<Batches> {
  const array = await readNpy(source);
  const [steps, size, ...more] = array.dims;
  if (steps === undefined || size === undefined || more.length > 0) {
    throw malformed(source, `Batches are an array [updates, batch]; this is [${array.dims.join(', ')}].`, 'header');
  }
  const values = numbersOf(array);
  return Array.from({ length: steps }, (_, step) =>
    values.slice(step * size, (step + 1) * size).filter((index) => !(index < 0)),
  );
}

async function ofLines(source: ByteSource): Promise<Batches> {
  const text = new TextDecoder().decode(await source.read(0, source.size));
  return text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [listOf(source, line, index + 1)]));
}

function listOf(source: ByteSource, line: string, number: number): readonly number[] {
  try {
    const value: unknown = JSON.parse(line);
    if (Array.isArray(value) && value.every((one) => typeof one === 'number')) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw malformed(source, 'A line of batches is a list of numbers: [3, 17, 5].', `line ${number}`);
}

function malformed(source: ByteSource, message: string, place: string): WhenceError {
  return new WhenceError('malformed-file', message, {
    file: source.path,
    place,
    mend: 'Write the indices of each batch as training draws it.',
  });
}
