import type { Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { ByteSource } from '../formats/bytes';
import { WhenceError } from '../protocol/errors';
import { fileError } from './fileErrors';

/** Handles kept open at once, and for how long without a read. Folders of images would exhaust the system's limit. */
const maxHandles = 32;
const idleMilliseconds = 3000;
/** One read of the operating system moves less than 2 GiB. */
const maxBytesPerRead = 2 ** 30;

interface OpenFile {
  readonly handle: Promise<FileHandle>;
  readers: number;
  lastUse: number;
}

/** Least recently used first. Keyed by source, not by path: a file replaced on disk must not be read through an old handle. */
const openFiles = new Map<ByteSource, OpenFile>();
let sweep: NodeJS.Timeout | undefined;

/** Ranged reads of a file whose `stats` were taken by the caller; fails with `unreadable` once the file has changed. */
export function fileSource(path: string, stats: Stats): ByteSource {
  const source: ByteSource = {
    path,
    size: stats.size,
    async read(offset, length) {
      checkRange(source, offset, length);
      const bytes = allocate(path, length);
      const file = acquire(source, stats);
      try {
        const handle = await file.handle;
        for (let done = 0; done < length; ) {
          const part = Math.min(length - done, maxBytesPerRead);
          const { bytesRead } = await handle.read(bytes, done, part, offset + done);
          if (bytesRead === 0) throw endsEarly(path, offset + done, offset + length);
          done += bytesRead;
        }
      } catch (error) {
        throw fileError(path, error);
      } finally {
        file.readers -= 1;
        closeIdle();
      }
      return bytes;
    },
  };
  return source;
}

/** A source of bytes in memory under a file's name. */
export function memorySource(path: string, bytes: Uint8Array): ByteSource {
  const source: ByteSource = {
    path,
    size: bytes.length,
    async read(offset, length) {
      checkRange(source, offset, length);
      return bytes.slice(offset, offset + length);
    },
  };
  return source;
}

function checkRange(source: ByteSource, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!whole) {
    const message = `A read of ${length} bytes from byte ${offset} makes no sense.`;
    throw new WhenceError('bad-argument', message, { file: source.path, place: `byte ${offset}` });
  }
  if (offset + length > source.size) throw endsEarly(source.path, source.size, offset + length);
}

function endsEarly(path: string, end: number, wanted: number): WhenceError {
  const mend = 'Copy or save the file again: it is not complete.';
  const message = `The file ends at byte ${end}, but byte ${wanted} is needed.`;
  return new WhenceError('truncated-file', message, { file: path, place: `byte ${end}`, mend });
}

function allocate(path: string, length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new WhenceError('out-of-memory', `There is no memory for ${length} bytes.`, { file: path }, { cause });
  }
}

function acquire(source: ByteSource, stats: Stats): OpenFile {
  const known = openFiles.get(source);
  const file: OpenFile = known ?? { handle: openUnchanged(source.path, stats), readers: 0, lastUse: 0 };
  file.readers += 1;
  file.lastUse = Date.now();
  openFiles.delete(source);
  openFiles.set(source, file);
  // A failed opening must not be found again by the next read.
  if (!known) file.handle.catch(() => openFiles.delete(source));
  return file;
}

async function openUnchanged(path: string, before: Stats): Promise<FileHandle> {
  const handle = await open(path, 'r');
  const now = await handle.stat();
  if (now.size === before.size && now.mtimeMs === before.mtimeMs) return handle;
  await handle.close();
  throw new WhenceError('unreadable', 'The file has changed since it was opened.', { file: path, mend: 'Try again.' });
}

function closeIdle(): void {
  const now = Date.now();
  for (const [source, file] of openFiles) {
    const expired = now - file.lastUse >= idleMilliseconds;
    if (file.readers > 0 || !(expired || openFiles.size > maxHandles)) continue;
    openFiles.delete(source);
    // Nothing was written through it, so a failing close loses nothing.
    file.handle.then((handle) => handle.close()).catch(() => undefined);
  }
  if (openFiles.size > 0 && !sweep) {
    sweep = setTimeout(() => {
      sweep = undefined;
      closeIdle();
    }, idleMilliseconds);
    sweep.unref();
  }
}
