/** Every way Whence fails, as a closed list: an interface maps each code to a sentence and one action, never a message text. */
export const errorCodes = [
  'bad-argument',
  'not-found',
  'unreadable',
  'not-set-up',
  'config-invalid',
  'malformed-file',
  'truncated-file',
  'not-finite',
  'shape-mismatch',
  'binding-failed',
  'unsupported-op',
  'unsupported-dtype',
  'unsupported-format',
  'label-out-of-range',
  'empty-data',
  'disk-full',
  'out-of-memory',
  'provider-unavailable',
  'runtime-failed',
  'cancelled',
  'disconnected',
  'internal',
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** Where an error is and how to mend it, as far as known. */
export interface ErrorDetails {
  /** Absolute path of the file at fault. */
  readonly file?: string;
  /** The place in it: `byte 8`, `line 12`, `tensor fc1.weight`, `node /fc/Gemm`. */
  readonly place?: string;
  /** What the user can do, as an imperative sentence. */
  readonly mend?: string;
}

/** The one error class that crosses the wire. `message` is a whole sentence that stands without the details. */
export class WhenceError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}, options?: { cause?: unknown }) {
    super(message, options as ErrorOptions);
    this.name = 'WhenceError';
    this.code = code;
    this.details = details;
  }

  /** All that is known, for a terminal or a log: `file: place: message Mend.` */
  describe(): string {
    const { file, place, mend } = this.details;
    return [[file, place, this.message].filter(Boolean).join(': '), mend].filter(Boolean).join('\n  ');
  }
}

/** A plain-data picture of an error, for wires that carry JSON. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: ErrorDetails;
}

/** Any thrown value as plain data; what is not ours becomes `internal`. */
export function toErrorData(error: unknown): ErrorData {
  if (error instanceof WhenceError) return { code: error.code, message: error.message, details: error.details };
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message, details: {} };
}

export function fromErrorData(data: ErrorData): WhenceError {
  return new WhenceError(data.code, data.message, data.details);
}

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && (errorCodes as readonly string[]).includes(value);
}
