import { WhenceError } from '../../../protocol/errors';
import type { ByteSource } from '../../bytes';
import { crc32 } from '../../crc32';
import { largestPickle, readPickle } from '../../pickle/pickle';
import type { PickleValue } from '../../pickle/values';
import { locateAllStored, locateStored, readZip, type ZipEntry } from '../../zip';
import type { StorageRange } from './storage';
import type { TensorMemory } from './tensor';

/** What a file of torch.save says, and where its tensors' memory lies. */
export interface TorchFile {
  readonly value: PickleValue;
  readonly memory: TensorMemory;
  readonly opaque: readonly string[];
}

const saveAgain = 'Copy the file again, or save it again with torch.save.';

/**
 * Opens a zip archive of torch.save: `<name>/data.pkl` describes the object, `<name>/data/<key>` are the storages.
 * Source: https://docs.pytorch.org/docs/stable/notes/serialization.html
 */
export async function readArchive(source: ByteSource): Promise<TorchFile> {
  const entries = await readZip(source);
  const pickle = pickleEntry(entries);
  if (!pickle) throw notTorch(source, entries);
  const root = pickle.name.slice(0, -'data.pkl'.length);
  await checkByteOrder(source, entries.get(`${root}byteorder`));
  const storages = await locateStorages(source, `${root}data/`, [...entries.values()]);
  const { bytes, base } = await readPickleEntry(source, pickle);
  const { value, opaque } = readPickle(bytes, 0, { path: source.path, base });
  return { value, opaque, memory: { source, storages } };
}

async function locateStorages(source: ByteSource, folder: string, entries: readonly ZipEntry[]) {
  const own = entries.filter(({ name }) => name.startsWith(folder));
  const starts = await locateAllStored(source, own);
  return new Map(
    own.map((entry): [string, StorageRange] => [
      entry.name.slice(folder.length),
      { offset: starts.get(entry)!, length: entry.size },
    ]),
  );
}

/** The archive's one pickle. Torch names its folder after the file, whatever the file is called later. */
export function pickleEntry(entries: ReadonlyMap<string, ZipEntry>): ZipEntry | undefined {
  return [...entries.values()].find(({ name }) => /^[^/]*\/data\.pkl$/.test(name));
}

async function readPickleEntry(source: ByteSource, entry: ZipEntry) {
  const base = await locateStored(source, entry);
  if (entry.size > largestPickle) {
    throw new WhenceError(
      'unsupported-format',
      `The file holds ${entry.size} bytes of Python objects beside its tensors; no model's state needs so many.`,
      { file: source.path, place: `entry ${entry.name}`, mend: 'Save only model.state_dict() and the optimizer.' },
    );
  }
  const bytes = await source.read(base, entry.size);
  // Torch can be told to leave checksums out, and then writes zero.
  if (entry.crc !== 0 && crc32(bytes) !== entry.crc) {
    throw new WhenceError('malformed-file', `${entry.name} is damaged: its checksum does not match.`, {
      file: source.path,
      place: `byte ${base}`,
      mend: saveAgain,
    });
  }
  return { bytes, base };
}

async function checkByteOrder(source: ByteSource, entry: ZipEntry | undefined): Promise<void> {
  if (!entry || entry.size > 16) return;
  const order = new TextDecoder('utf-8').decode(await source.read(await locateStored(source, entry), entry.size));
  if (order === 'little') return;
  throw new WhenceError('unsupported-format', `The tensors are ${order}-endian; Whence reads little-endian ones.`, {
    file: source.path,
    place: `entry ${entry.name}`,
    mend: 'Save the checkpoint again on a little-endian machine.',
  });
}

function notTorch(source: ByteSource, entries: ReadonlyMap<string, ZipEntry>): WhenceError {
  const names = [...entries.keys()];
  const kind = names.some((name) => name.endsWith('.npy'))
    ? 'an archive of NumPy arrays'
    : names.some((name) => name.startsWith('.data/') || name.includes('/.metadata'))
      ? 'an exported program'
      : 'a zip archive';
  return new WhenceError('unsupported-format', `The file is ${kind}, not one of torch.save: it has no data.pkl.`, {
    file: source.path,
    mend: 'Name a file that torch.save(model.state_dict(), path) wrote.',
  });
}
