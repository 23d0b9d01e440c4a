import { type ErrorCode, WhenceError } from '../protocol/errors';

interface Meaning {
  readonly code: ErrorCode;
  readonly message: string;
  readonly mend: string;
}

const changeRights: Meaning = {
  code: 'unreadable',
  message: 'The operating system denies access.',
  mend: 'Change the rights of the file or of its folder.',
};
const freeSpace: Meaning = {
  code: 'disk-full',
  message: 'There is no room left to write this file.',
  mend: 'Free some space (or raise the quota) and run again: finished stages are kept.',
};
const checkPath: Meaning = {
  code: 'not-found',
  message: 'There is no such file or folder.',
  mend: 'Check the path.',
};

/** What the operating system's codes mean to a user. */
const meanings: Readonly<Record<string, Meaning>> = {
  ENOENT: checkPath,
  ENOTDIR: { ...checkPath, message: 'There is no such path: a part of it is a file, not a folder.' },
  EACCES: changeRights,
  EPERM: changeRights,
  EROFS: { ...changeRights, message: 'The file system is read-only.' },
  EISDIR: { code: 'unreadable', message: 'This is a folder, not a file.', mend: 'Name a file.' },
  ENOSPC: freeSpace,
  EDQUOT: freeSpace,
  EFBIG: { ...freeSpace, message: 'The file would be larger than the system allows.' },
  EMFILE: { code: 'unreadable', message: 'Too many files are open.', mend: 'Close other programs or raise the limit.' },
  ENAMETOOLONG: { ...checkPath, code: 'bad-argument', message: 'The path is too long.' },
  ERR_INVALID_ARG_VALUE: { ...checkPath, code: 'bad-argument', message: 'This is not a valid path.' },
};

/**
 * An error of node:fs as a `WhenceError` that names `path`; a `WhenceError` passes as it is. A code of the system that is
 * not known here is `unreadable` with the system's own words; an error without one is a fault of ours, `internal`.
 */
export function fileError(path: string, error: unknown): WhenceError {
  if (error instanceof WhenceError) return error;
  const code = systemCode(error);
  const meaning = meanings[code ?? ''];
  const details = { file: path, ...(meaning ? { mend: meaning.mend } : {}) };
  if (meaning) return new WhenceError(meaning.code, meaning.message, details, { cause: error });
  const reason = error instanceof Error ? error.message : String(error);
  return new WhenceError(code ? 'unreadable' : 'internal', `The file system failed: ${reason}`, details, {
    cause: error,
  });
}

/** `ENOENT` and its like, where the error has such a code. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
