import { bytesPerElement } from '../../../onnx/dtype';
import { WhenceError } from '../../../protocol/errors';
import type { ByteSource } from '../../bytes';
import { heldBytes } from '../../heldBytes';
import { largestPickle, type Pickle, readPickle } from '../../pickle/pickle';
import { isDict, PickleGlobal, PickleObject, type PickleValue, persistentType } from '../../pickle/values';
import type { TorchFile } from './archive';
import { type StorageRange, storageDtype, storageId } from './storage';

/** The number that a stream of torch.save begins with, as a pickle. */
const magic = 0x1950a86a20f9469cfc6cn;
const firstWindow = 2 ** 20;

/**
 * Reads what torch.save wrote before version 1.6, and writes without the zip archive: pickles of a magic number, the
 * version, the machine, the object and the keys of its storages, then each storage as its number of elements and its bytes.
 * A pickle without the magic number is one of plain pickle.dump: tensors in it are such streams themselves.
 */
export async function readStream(source: ByteSource): Promise<TorchFile> {
  return readWithin(source, true);
}

async function readWithin(source: ByteSource, mayNest: boolean): Promise<TorchFile> {
  const pickles = await readPickles(source);
  const [first, , machine, object, keys] = pickles;
  const isStream = first!.value === magic;
  if (isStream && isDict(machine!.value) && machine!.value.get('little_endian') === false) {
    throw new WhenceError('unsupported-format', 'The tensors are big-endian; Whence reads little-endian ones.', {
      file: source.path,
      mend: 'Save the checkpoint again on a little-endian machine.',
    });
  }
  const { value, opaque, lookups } = isStream ? object! : first!;
  const storages = isStream ? await storagesAfter(keys!, lookups, source) : new Map<string, StorageRange>();
  if (mayNest) await openNested(lookups, source.path, storages);
  return { value, opaque, memory: { source, storages } };
}

/** The one pickle of a plain file, or the five of a stream. Read from a window that grows until they fit. */
async function readPickles(source: ByteSource): Promise<readonly Pickle[]> {
  for (let window = Math.min(firstWindow, source.size); ; window = Math.min(window * 8, source.size)) {
    const isAll = window === source.size || window === largestPickle;
    const bytes = await source.read(0, Math.min(window, largestPickle));
    try {
      const pickles = [readPickle(bytes, 0, { path: source.path, base: 0 })];
      const count = pickles[0]!.value === magic ? 5 : 1;
      while (pickles.length < count) {
        pickles.push(readPickle(bytes, pickles.at(-1)!.end, { path: source.path, base: 0 }));
      }
      return pickles;
    } catch (error) {
      if (isAll || bytes.length >= largestPickle || !isTruncation(error)) throw error;
    }
  }
}

function isTruncation(error: unknown): boolean {
  return error instanceof WhenceError && error.code === 'truncated-file';
}

async function storagesAfter(keys: Pickle, lookups: readonly PickleObject[], source: ByteSource) {
  const widths = new Map(lookups.flatMap((one) => widthsOf(one)));
  const storages = new Map<string, StorageRange>();
  let position = keys.end;
  for (const key of Array.isArray(keys.value) ? keys.value : []) {
    const width = typeof key === 'string' ? widths.get(key) : undefined;
    if (typeof key !== 'string' || width === undefined || storages.has(key)) {
      throw stream(source, position, 'malformed-file', `A storage's key, ${keyText(key)}, names none of the tensors'.`);
    }
    if (position + 8 > source.size) throw stream(source, position, 'truncated-file', `Storage ${key} is missing.`);
    const head = await source.read(position, 8);
    const view = new DataView(head.buffer, head.byteOffset, 8);
    const length = (view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32) * width;
    if (position + 8 + length > source.size) {
      throw stream(source, position, 'truncated-file', `Storage ${key} of ${length} bytes ends beyond the file's end.`);
    }
    storages.set(key, { offset: position + 8, length });
    position += 8 + length;
  }
  return storages;
}

function keyText(key: PickleValue): string {
  return key instanceof Object ? 'an object' : String(key).slice(0, 40);
}

/** Storages whose tensors are not read; what follows them in the stream is. */
const unreadWidths: readonly (readonly [RegExp, number])[] = [
  [/ComplexFloatStorage$/, 8],
  [/ComplexDoubleStorage$/, 16],
  [/QInt32Storage$/, 4],
  [/Q[A-Za-z]+\d+[x\d]*Storage$/, 1],
];

/** A storage's key and the bytes of its elements. Views of storages, of torch before 0.4, count as unreadable. */
function widthsOf(object: PickleObject): readonly (readonly [string, number])[] {
  if (object.type !== persistentType) return [];
  const { type, key } = storageId(object) ?? {};
  if (!(type instanceof PickleGlobal) || typeof key !== 'string') return [];
  const dtype = storageDtype(type);
  const width = dtype ? bytesPerElement[dtype] : unreadWidths.find(([pattern]) => pattern.test(type.name))?.[1];
  return width === undefined ? [] : [[key, width]];
}

/** Tensors in a plain pickle hold a whole stream for their storage: opens each in memory, under a key of its own. */
async function openNested(lookups: readonly PickleObject[], path: string, storages: Map<string, StorageRange>) {
  for (const [index, object] of lookups.entries()) {
    const [bytes] = object.args;
    if (object.type === persistentType || !(bytes instanceof Uint8Array)) continue;
    const source = heldBytes(path, bytes);
    const { value, memory } = await readWithin(source, false);
    const { tag, type, key } = storageId(value) ?? {};
    const range = typeof key === 'string' ? memory.storages.get(key) : undefined;
    if (!range || tag === undefined || type === undefined) continue;
    const own = `${index}`;
    storages.set(own, { ...range, source });
    object.state = new PickleObject(persistentType, [[tag, type, own]]);
  }
}

function stream(source: ByteSource, at: number, code: 'malformed-file' | 'truncated-file', message: string) {
  const mend = 'Copy the file again, or save it again with torch.save.';
  return new WhenceError(code, message, { file: source.path, place: `byte ${at}`, mend });
}
