import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { arrayOf } from '../pickle/numpy';
import { readPickle } from '../pickle/pickle';
import { PickleObject, type PickleValue } from '../pickle/values';

/** CIFAR-100's training set is one pickle of 155 MB. */
const largest = 2 ** 28;

/** A batch of the Python version: pixels one picture a row, and its lists of labels by their names. */
export interface PickledBatch {
  readonly pixels: Uint8Array;
  readonly rowBytes: number;
  readonly labels: ReadonlyMap<string, readonly number[]>;
}

/** Reads a batch's dict; its keys and arrays are of Python 2 (texts of bytes) or of Python 3. */
export async function readPickledBatch(source: ByteSource): Promise<PickledBatch> {
  const fields = await readFields(source);
  const data = fields.get('data');
  const array = data instanceof PickleObject ? arrayOf(withBytes(data))?.(source.path) : undefined;
  const [rows, rowBytes = 0] = array?.dims ?? [];
  if (array?.dtype !== 'uint8' || array.dims.length !== 2 || array.strides) {
    throw new WhenceError('malformed-file', 'The pickle has no array of pixels under "data".', {
      file: source.path,
      mend: 'Name the batches as the CIFAR page offers them, for example data_batch_1.',
    });
  }
  const labels = new Map<string, readonly number[]>();
  for (const [name, value] of fields) {
    if (!Array.isArray(value) || value.length !== rows) continue;
    const numbers = value.filter((one) => typeof one === 'number');
    if (numbers.length === value.length) labels.set(name, numbers);
  }
  return { pixels: await array.source.read(array.offset, array.length), rowBytes, labels };
}

/** Names of the classes in `batches.meta` or `meta`, by the name of their list. */
export async function readPickledNames(source: ByteSource): Promise<ReadonlyMap<string, readonly string[]>> {
  const names = new Map<string, readonly string[]>();
  for (const [name, value] of await readFields(source)) {
    if (Array.isArray(value)) names.set(name, value.map(textOf));
  }
  return names;
}

async function readFields(source: ByteSource): Promise<ReadonlyMap<string, PickleValue>> {
  if (source.size > largest) {
    throw new WhenceError('unsupported-format', `No batch of CIFAR has ${source.size} bytes.`, { file: source.path });
  }
  const bytes = await source.read(0, source.size);
  const { value } = readPickle(bytes, 0, { path: source.path, base: 0 }, largest);
  if (!(value instanceof Map)) {
    throw new WhenceError('malformed-file', 'The pickle holds no dict.', { file: source.path, place: 'byte 0' });
  }
  return new Map([...value].map(([key, field]) => [textOf(key), field]));
}

function textOf(value: PickleValue): string {
  return value instanceof Uint8Array ? new TextDecoder('utf-8').decode(value) : String(value);
}

/** Python 2 wrote an array's memory as a text, one character a byte. */
function withBytes(array: PickleObject): PickleObject {
  const { state } = array;
  const memory = Array.isArray(state) ? state[4] : undefined;
  if (!Array.isArray(state) || typeof memory !== 'string') return array;
  const bytes = new Uint8Array(memory.length);
  for (let at = 0; at < memory.length; at++) bytes[at] = memory.charCodeAt(at);
  const whole = new PickleObject(array.type, array.args);
  whole.state = [...state.slice(0, 4), bytes];
  return whole;
}
