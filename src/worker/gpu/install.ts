import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, mkdtemp, readdir, rename, rm, statfs } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type CancelSignal, cancelled } from '../../protocol/cancel';
import type { CallContext } from '../../protocol/connection';
import { WhenceError } from '../../protocol/errors';
import type { GpuDownload } from '../../protocol/gpuApi';
import { fileError } from '../fileErrors';
import { reasonOf, unavailable } from './packageIndex';
import { extract } from './zip';

const workPrefix = '.whence-download-';

/**
 * Fetches a package into a folder of its own within `folder`, checks it, and moves its libraries into `folder`; whatever
 * happens, nothing is left there but whole libraries.
 * @throws WhenceError `provider-unavailable` (connection), `unreadable` (folder), `malformed-file` (size, hash, checksums), `disk-full`, `cancelled`
 */
export async function install(download: GpuDownload, folder: string, context: CallContext): Promise<void> {
  const work = await openWork(folder, download);
  try {
    const archive = join(work, 'package.zip');
    await fetchPackage(download, archive, context);
    context.progress({ phase: 'reading', message: 'Unpacking the CUDA libraries', done: 0, total: 0 });
    const members = download.files.map(({ path, name }) => [path, join(work, basename(name))] as const);
    await extract(archive, new Map(members));
    if (context.signal.aborted) throw cancelled();
    for (const [, file] of members) await chmod(file, 0o755);
    for (const [, file] of members) await rename(file, join(folder, basename(file)));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function openWork(folder: string, { bytes }: GpuDownload): Promise<string> {
  try {
    // What a process that was killed has left.
    const left = (await readdir(folder)).filter((name) => name.startsWith(workPrefix));
    for (const name of left) await rm(join(folder, name), { recursive: true, force: true });
    const work = await mkdtemp(join(folder, workPrefix));
    const { bavail, bsize } = await statfs(folder);
    // The package and, about three times as large, what is in it.
    if (bavail * bsize > 4 * bytes) return work;
    await rm(work, { recursive: true, force: true });
  } catch (cause) {
    throw fileError(folder, cause);
  }
  throw new WhenceError('disk-full', `Unpacking takes about ${Math.ceil((4 * bytes) / 2 ** 20)} MB.`, { file: folder });
}

async function fetchPackage(download: GpuDownload, file: string, context: CallContext): Promise<void> {
  const { url, bytes, sha512 } = download;
  const stop = abortOn(context.signal);
  const response = await fetch(url, { signal: stop }).catch((cause: unknown) => {
    throw stop.aborted ? cancelled(cause) : unavailable(url, `cannot be reached (${reasonOf(cause)})`, cause);
  });
  if (!response.ok || !response.body)
    throw unavailable(url, `answers ${response.status} ${response.statusText}`.trim());
  const hash = createHash('sha512');
  let done = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, next) {
      hash.update(chunk);
      done += chunk.length;
      context.progress({ phase: 'reading', message: 'Downloading the CUDA libraries', done, total: bytes });
      // A server that sends more than it announced is not to fill the disk.
      next(done > bytes ? wrongPackage(url, 'is larger than its index says') : null, chunk);
    },
  });
  try {
    await pipeline(Readable.from(response.body), counted, createWriteStream(file));
  } catch (cause) {
    if (stop.aborted) throw cancelled(cause);
    if (cause instanceof WhenceError) throw cause;
    const isOfFile = cause instanceof Error && 'syscall' in cause && 'path' in cause;
    throw isOfFile ? fileError(file, cause) : unavailable(url, `broke off (${reasonOf(cause)})`, cause);
  }
  if (done !== bytes) throw wrongPackage(url, `broke off after ${done} of ${bytes} bytes`);
  if (sha512 && hash.digest('base64') !== sha512)
    throw wrongPackage(url, 'does not have the hash that its index gives');
}

function wrongPackage(url: string, what: string): WhenceError {
  return new WhenceError('malformed-file', `${url} ${what}.`, { mend: 'Try again; nothing was installed.' });
}

function abortOn(signal: CancelSignal): AbortSignal {
  const controller = new AbortController();
  if (signal.aborted) controller.abort();
  signal.addEventListener('abort', () => controller.abort());
  return controller.signal;
}
