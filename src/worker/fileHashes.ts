import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

interface Known {
  /** Size, times and place of the file when its content was read. */
  readonly state: string;
  readonly hash: Promise<string>;
}

/** A file written to so shortly before it was read may be written to again within the same tick of the system's clock. */
const unsettledNanoseconds = 2_000_000_000n;

/** SHA-256 of files in hexadecimal. Gigabytes of weights are read again only when the file system says that they changed. */
export class FileHashes {
  private readonly known = new Map<string, Known>();

  async of(path: string): Promise<string> {
    const { state, ctimeNs } = await fileState(path);
    const known = this.known.get(path);
    if (known?.state === state) return known.hash;
    const hash = hashContent(path);
    if (BigInt(Date.now()) * 1_000_000n - ctimeNs < unsettledNanoseconds) return hash;
    this.known.set(path, { state, hash });
    hash.catch(() => this.known.delete(path));
    return hash;
  }
}

/** What tells one content of a file from another, as far as the file system does. */
export async function fileState(path: string): Promise<{ readonly state: string; readonly ctimeNs: bigint }> {
  const { size, mtimeNs, ctimeNs, ino, dev } = await stat(path, { bigint: true });
  return { state: [size, mtimeNs, ctimeNs, ino, dev].join(), ctimeNs };
}

async function hashContent(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk);
  return hash.digest('hex');
}
