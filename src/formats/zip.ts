import { WhenceError } from '../protocol/errors';
import type { ByteSource } from './bytes';

/** A file in an archive, as the archive's directory lists it. */
export interface ZipEntry {
  readonly name: string;
  /** Bytes as they lie in the archive, and unpacked; equal where the entry is stored. */
  readonly packedSize: number;
  readonly size: number;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  readonly crc: number;
  readonly isEncrypted: boolean;
  /** Where its local header begins. */
  readonly header: number;
}

const endSignature = 0x06054b50;
const wideEndSignature = 0x06064b50;
const wideLocatorSignature = 0x07064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
const endSize = 22;
const headerSize = 30;
/** Headers this close together are read in one go, up to so many bytes. */
const farthestHeader = 4096;
const longestRead = 2 ** 18;
const longestComment = 0xffff;
/** 64 MiB list more than half a million entries. */
const largestDirectory = 2 ** 26;
const utf8 = new TextDecoder('utf-8');
const saveAgain = 'Copy the file again, or save it again.';

export function isZip(head: Uint8Array): boolean {
  return head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4;
}

/**
 * The entries of a zip archive by name, from its directory at the end; also zip64. No entry's data are read.
 * Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 * @throws WhenceError `truncated-file` where the directory is missing, `malformed-file` where it contradicts itself
 */
export async function readZip(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const { offset, length, count } = await findDirectory(source);
  if (length > largestDirectory || offset + length > source.size) {
    throw malformed(source, offset, `The archive claims a directory of ${length} bytes at byte ${offset}.`);
  }
  const bytes = await source.read(offset, length);
  const entries = new Map<string, ZipEntry>();
  let position = 0;
  for (let index = 0; index < count; index++) {
    const { entry, end } = readEntry(bytes, position, source, offset);
    if (entries.has(entry.name)) {
      throw malformed(source, offset + position, `The archive lists ${entry.name} twice.`);
    }
    entries.set(entry.name, entry);
    position = end;
  }
  return entries;
}

/** Where a stored entry's data begin in the archive: they can then be read like any range of the file. */
export async function locateStored(source: ByteSource, entry: ZipEntry): Promise<number> {
  return (await locateAllStored(source, [entry])).get(entry)!;
}

/** The same for many entries; headers that lie close together are read together. */
export async function locateAllStored(
  source: ByteSource,
  entries: readonly ZipEntry[],
): Promise<ReadonlyMap<ZipEntry, number>> {
  for (const entry of entries) checkStored(source, entry);
  const sorted = [...entries].sort((a, b) => a.header - b.header);
  const starts = new Map<ZipEntry, number>();
  for (let first = 0, next = 0; first < sorted.length; first = next) {
    const start = sorted[first]!.header;
    next = first + 1;
    while (next < sorted.length && isNear(sorted[next - 1]!.header, sorted[next]!.header, start)) next++;
    const bytes = await source.read(start, sorted[next - 1]!.header + headerSize - start);
    const view = viewOf(bytes);
    for (const entry of sorted.slice(first, next))
      starts.set(entry, startOf(source, entry, view, entry.header - start));
  }
  return starts;
}

function isNear(previous: number, header: number, start: number): boolean {
  return header - previous <= farthestHeader && header - start <= longestRead;
}

function checkStored(source: ByteSource, entry: ZipEntry): void {
  if (entry.isEncrypted || entry.method !== 0) {
    throw new WhenceError(
      'unsupported-format',
      `${entry.name} is ${entry.isEncrypted ? 'encrypted' : 'compressed'} in the archive.`,
      { file: source.path, place: `entry ${entry.name}`, mend: 'Pack the archive again without compression (zip -0).' },
    );
  }
  if (entry.packedSize !== entry.size) {
    throw malformed(source, entry.header, `${entry.name} is stored, but its two sizes differ.`);
  }
  if (entry.header + headerSize > source.size) {
    throw malformed(source, entry.header, `${entry.name} lies beyond the end of the file.`);
  }
}

function startOf(source: ByteSource, entry: ZipEntry, view: DataView, at: number): number {
  if (view.getUint32(at, true) !== localSignature) {
    throw malformed(source, entry.header, `No header stands where ${entry.name} should begin.`);
  }
  const start = entry.header + headerSize + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
  if (start + entry.size > source.size) {
    throw malformed(source, entry.header, `${entry.name} ends at byte ${start + entry.size}, beyond the file's end.`);
  }
  return start;
}

async function findDirectory(source: ByteSource): Promise<{ offset: number; length: number; count: number }> {
  const tailLength = Math.min(source.size, endSize + longestComment);
  const tailStart = source.size - tailLength;
  const view = viewOf(await source.read(tailStart, tailLength));
  let end = tailLength - endSize;
  while (end >= 0 && !(view.getUint32(end, true) === endSignature && commentFits(view, end))) end--;
  if (end < 0) {
    throw new WhenceError('truncated-file', "The archive's directory, which stands at its end, is missing.", {
      file: source.path,
      place: `byte ${source.size}`,
      mend: saveAgain,
    });
  }
  const wide = await wideDirectory(source, tailStart + end);
  if (wide) return wide;
  const [count, length, offset] = [
    view.getUint16(end + 10, true),
    view.getUint32(end + 12, true),
    view.getUint32(end + 16, true),
  ];
  return { count, length, offset };
}

function commentFits(view: DataView, end: number): boolean {
  return end + endSize + view.getUint16(end + 20, true) === view.byteLength;
}

/** Zip64's own end of directory, which a locator right before the plain one leads to. */
async function wideDirectory(source: ByteSource, end: number) {
  if (end < 20) return undefined;
  const locator = viewOf(await source.read(end - 20, 20));
  if (locator.getUint32(0, true) !== wideLocatorSignature) return undefined;
  const at = readSize(locator, 8);
  if (at + 56 > source.size) throw malformed(source, end - 20, `The zip64 directory is said to end at byte ${at}.`);
  const view = viewOf(await source.read(at, 56));
  if (view.getUint32(0, true) !== wideEndSignature) {
    throw malformed(source, at, 'The end of the zip64 directory is missing.');
  }
  return { count: readSize(view, 32), length: readSize(view, 40), offset: readSize(view, 48) };
}

function readEntry(bytes: Uint8Array, at: number, source: ByteSource, base: number): { entry: ZipEntry; end: number } {
  const view = viewOf(bytes);
  if (at + 46 > bytes.length || view.getUint32(at, true) !== entrySignature) {
    throw malformed(source, base + at, "The archive's directory ends before its last entry.");
  }
  const nameEnd = at + 46 + view.getUint16(at + 28, true);
  const extraEnd = nameEnd + view.getUint16(at + 30, true);
  const end = extraEnd + view.getUint16(at + 32, true);
  if (end > bytes.length) throw malformed(source, base + at, "An entry reaches beyond the archive's directory.");
  const narrow = [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)];
  const [size, packedSize, header] = widen(narrow, view, nameEnd, extraEnd);
  const entry: ZipEntry = {
    name: utf8.decode(bytes.subarray(at + 46, nameEnd)),
    size: size!,
    packedSize: packedSize!,
    header: header!,
    method: view.getUint16(at + 10, true),
    crc: view.getUint32(at + 16, true),
    isEncrypted: (view.getUint16(at + 8, true) & 1) !== 0,
  };
  return { entry, end };
}

/** Sizes that do not fit in 32 bits stand in the zip64 extra field, in the same order, only those that are all ones. */
function widen(narrow: readonly number[], view: DataView, from: number, to: number): readonly number[] {
  for (let at = from; at + 4 <= to; ) {
    const end = Math.min(to, at + 4 + view.getUint16(at + 2, true));
    if (view.getUint16(at, true) === 1) {
      let position = at + 4;
      return narrow.map((size) => {
        if (size !== 0xffffffff || position + 8 > end) return size;
        position += 8;
        return readSize(view, position - 8);
      });
    }
    at = end;
  }
  return narrow;
}

/** 64 bits as a number; beyond 2^53 it is not exact, and larger than any file. */
function readSize(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function malformed(source: ByteSource, at: number, message: string): WhenceError {
  return new WhenceError('malformed-file', message, { file: source.path, place: `byte ${at}`, mend: saveAgain });
}
