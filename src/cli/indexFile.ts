import { readNpy } from '../formats/npy';
import { WhenceError } from '../protocol/errors';
import { nodeFiles } from '../worker/nodeFiles';

/** Indices of examples: a `.npy` array, a `.json` list, or lines whose first column is the index (a head line may stand). */
export async function readIndices(file: string): Promise<readonly number[]> {
  const source = await nodeFiles().open(file);
  if (file.toLowerCase().endsWith('.npy')) {
    return checked(Array.from((await readNpy(source)).data, Number), file);
  }
  const text = new TextDecoder().decode(await source.read(0, source.size));
  if (!file.toLowerCase().endsWith('.json')) {
    const cells = text.split('\n').map((line) => line.split(/[,;\t ]/)[0]?.trim() ?? '');
    const head = Number.isNaN(Number(cells[0])) ? 1 : 0;
    const numbers = cells.slice(head).filter((cell) => cell !== '');
    return checked(numbers.map(Number), file);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new WhenceError('malformed-file', 'This is not valid JSON.', { file }, { cause });
  }
  return checked(Array.isArray(value) ? value.map(Number) : [Number.NaN], file);
}

function checked(indices: readonly number[], file: string): readonly number[] {
  const at = indices.findIndex((index) => !Number.isInteger(index) || index < 0);
  if (at < 0) return indices;
  throw new WhenceError('malformed-file', `Entry ${at + 1} is no index of an example.`, {
    file,
    mend: 'List indices from 0: one a line, a JSON list, or a .npy array.',
  });
}
