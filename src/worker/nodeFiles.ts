import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, realpath, rename, stat, unlink } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { ByteSource, FileEntry, Files } from '../formats/bytes';
import { WhenceError } from '../protocol/errors';
import { fileError, systemCode } from './fileErrors';
import { FileHashes, fileState } from './fileHashes';
import { fileSource, memorySource } from './fileSource';

/** Most bytes that a `.gz` may inflate to: a bomb of a few MB would otherwise fill the memory. */
const defaultInflatedLimit = 2 ** 32 - 1;

const inflate = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip);

/** The file system of this machine, on node:fs. `inflatedLimit`: most bytes that one `.gz` may inflate to. */
export function nodeFiles(inflatedLimit = defaultInflatedLimit): Files {
  const hashes = new FileHashes();
  return {
    open: (path) => naming(path, () => openSource(path, inflatedLimit)),
    list: (folder) => naming(folder, () => listFolder(folder)),
    exists: (path) => naming(path, () => isThere(path)),
    write: (path, chunks) => naming(path, () => replaceFile(path, chunks)),
    remove: (path) => naming(path, () => removeFile(path)),
    stamp: (path) => naming(path, async () => (await fileState(path)).state),
    hashFile: (path) => naming(path, () => hashes.of(path)),
    hashBytes(parts) {
      const hash = createHash('sha256');
      for (const part of parts) hash.update(part);
      return hash.digest('hex');
    },
    join: (...parts) => join(...parts),
    dirname: (path) => dirname(path),
    basename: (path) => basename(path),
    resolveLinks: (path) => naming(path, () => realpath(path)),
    relative: (from, to) => relative(from, to).split(sep).join('/'),
  };
}

async function naming<T>(path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw fileError(path, error);
  }
}

async function openSource(path: string, inflatedLimit: number): Promise<ByteSource> {
  const stats = await stat(path);
  if (!stats.isFile()) {
    throw new WhenceError('unreadable', 'This is not a regular file.', { file: path, mend: 'Name a file.' });
  }
  if (!path.toLowerCase().endsWith('.gz')) {
    // Opened once now, so that missing rights show here and not at the first read.
    await (await open(path, 'r')).close();
    return fileSource(path, stats);
  }
  const packed = await readFile(path);
  try {
    return memorySource(path, await inflate(packed, { maxOutputLength: inflatedLimit }));
  } catch (cause) {
    throw inflationError(path, cause, inflatedLimit);
  }
}

function inflationError(path: string, cause: unknown, inflatedLimit: number): WhenceError {
  const mend = 'Compress or download the file again.';
  switch (systemCode(cause)) {
    case 'Z_BUF_ERROR':
      return new WhenceError(
        'truncated-file',
        'The gzip file ends before its data does.',
        { file: path, mend },
        { cause },
      );
    case 'ERR_BUFFER_TOO_LARGE': {
      const message = `The gzip file inflates to more than ${inflatedLimit} bytes, which is refused.`;
      return new WhenceError('malformed-file', message, { file: path, mend: 'Unpack it first.' }, { cause });
    }
    default: {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return new WhenceError(
        'malformed-file',
        `This is not a sound gzip file: ${reason}.`,
        { file: path, mend },
        { cause },
      );
    }
  }
}

async function listFolder(folder: string): Promise<readonly FileEntry[]> {
  const entries = await Promise.all(
    (await readdir(folder)).map(async (name): Promise<FileEntry | undefined> => {
      const path = join(folder, name);
      // Links that lead nowhere and files gone since are no entries.
      const stats = await stat(path).catch(() => undefined);
      if (!stats?.isFile() && !stats?.isDirectory()) return undefined;
      const kind = stats.isDirectory() ? 'folder' : 'file';
      if (kind === 'folder') return { name, path, kind, size: 0 };
      return { name, path, kind, size: stats.size, modified: stats.mtimeMs };
    }),
  );
  const present = entries.filter((entry) => entry !== undefined);
  return present.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw error;
  }
}

async function replaceFile(path: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  const handle = await open(temporary, 'wx');
  try {
    try {
      for await (const chunk of chunks) {
        for (let done = 0; done < chunk.length; ) done += (await handle.write(chunk, done)).bytesWritten;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}
