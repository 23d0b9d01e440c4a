/** Bytes of one file, read by ranges. The only way in which formats see files. */
export interface ByteSource {
  /** Absolute path, for messages. */
  readonly path: string;
  readonly size: number;
  /** Exactly `length` bytes from `offset`; fails with `truncated-file` where the file ends before. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface FileEntry {
  readonly name: string;
  readonly path: string;
  readonly kind: 'file' | 'folder';
  readonly size: number;
  /** When a file was last written to, in milliseconds. */
  readonly modified?: number;
}

/** The file system as the engine needs it; the worker implements it on Node. Every failure is a `WhenceError` that names the path. */
export interface Files {
  /** Inflates `.gz` files on the way (up to a bound): the source's bytes are the inflated ones. */
  open(path: string): Promise<ByteSource>;
  /** Entries in the order of their names; `not-found` or `unreadable` where there is no such folder. */
  list(folder: string): Promise<readonly FileEntry[]>;
  exists(path: string): Promise<boolean>;
  /** Writes beside and renames over: the old content or the new, never half; `disk-full` where it does not fit. */
  write(path: string, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void>;
  remove(path: string): Promise<void>;
  /** Size, times and place of a file on disk: another text once it was written to. Nothing of its content is read. */
  stamp(path: string): Promise<string>;
  /** SHA-256 in hexadecimal of a file as it lies on disk. */
  hashFile(path: string): Promise<string>;
  hashBytes(parts: readonly Uint8Array[]): string;
  join(...parts: readonly string[]): string;
  dirname(path: string): string;
  basename(path: string): string;
  /** Where a path really leads, all links followed. */
  resolveLinks(path: string): Promise<string>;
  /** `to` as seen from the folder `from`, with forward slashes. */
  relative(from: string, to: string): string;
}
