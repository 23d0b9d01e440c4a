import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { WhenceError } from '../../protocol/errors';

interface Entry {
  readonly method: number;
  readonly crc: number;
  readonly compressed: number;
  readonly size: number;
  /** Of its local header. */
  readonly offset: number;
}

const endSignature = 0x06054b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
/** A field that means: see the zip64 record. Packages here are far smaller. */
const elsewhere = 0xffffffff;

/**
 * Writes members of a zip file to files, by streams, each checked against the archive's own length and CRC-32.
 * @param members path in the archive to the file to write
 * @throws WhenceError `malformed-file`, naming archive and member; files written by then are the caller's to remove
 */
export async function extract(archive: string, members: ReadonlyMap<string, string>): Promise<void> {
  const handle = await open(archive);
  try {
    const entries = await readDirectory(handle, archive);
    for (const [path, file] of members) {
      const entry = entries.get(path);
      if (!entry) throw malformed(archive, path, 'is not in the package');
      await extractOne(handle, archive, path, entry, file);
    }
  } finally {
    await handle.close();
  }
}

async function readDirectory(handle: FileHandle, archive: string): Promise<ReadonlyMap<string, Entry>> {
  const { size } = await handle.stat();
  const tail = await read(handle, Math.max(0, size - 65_557), Math.min(size, 65_557));
  let end = tail.length - 22;
  while (end >= 0 && tail.readUInt32LE(end) !== endSignature) end--;
  if (end < 0) throw malformed(archive, 'end of the archive', 'is missing');
  const [length, offset] = [tail.readUInt32LE(end + 12), tail.readUInt32LE(end + 16)];
  if (offset + length > size) throw malformed(archive, 'directory', 'lies outside the file');
  const directory = await read(handle, offset, length);
  const entries = new Map<string, Entry>();
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === entrySignature; ) {
    const nameLength = directory.readUInt16LE(at + 28);
    entries.set(directory.toString('utf8', at + 46, at + 46 + nameLength), {
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      compressed: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

async function extractOne(
  handle: FileHandle,
  archive: string,
  path: string,
  entry: Entry,
  file: string,
): Promise<void> {
  const { method, compressed, size, crc, offset } = entry;
  if ((method !== 0 && method !== 8) || [compressed, size, offset].includes(elsewhere)) {
    throw malformed(archive, path, 'is packed in a way that is not read here');
  }
  const local = await read(handle, offset, 30);
  if (local.length < 30 || local.readUInt32LE(0) !== localSignature) throw malformed(archive, path, 'has no header');
  const start = offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
  const sum = new Checksum();
  const source =
    compressed === 0 ? Readable.from([]) : createReadStream(archive, { start, end: start + compressed - 1 });
  const unpacked = method === 8 ? [createInflateRaw()] : [];
  try {
    await pipeline([source, ...unpacked, sum, createWriteStream(file, { flags: 'wx' })]);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_')) {
      throw malformed(archive, path, 'cannot be unpacked');
    }
    throw cause;
  }
  if (sum.length !== size || sum.crc !== crc) throw malformed(archive, path, 'does not have the checksum it should');
}

async function read(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

function malformed(file: string, place: string, what: string): WhenceError {
  return new WhenceError('malformed-file', `${place} ${what}.`, { file, place });
}

/** CRC-32 as zip has it, of what passes through. */
class Checksum extends Transform {
  length = 0;
  #state = 0xffffffff;

  get crc(): number {
    return (this.#state ^ 0xffffffff) >>> 0;
  }

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, chunk: Buffer) => void): void {
    let state = this.#state;
    for (const byte of chunk) state = table[(state ^ byte) & 0xff]! ^ (state >>> 8);
    this.#state = state;
    this.length += chunk.length;
    done(null, chunk);
  }
}

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});
