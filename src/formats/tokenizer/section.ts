import { WhenceError } from '../../protocol/errors';

/** Sequences of parts may stand in each other; no real file nests them deeper. */
const deepest = 16;

/**
 * An object of a `tokenizer.json` that knows its place in the file. Every reader fails with `malformed-file`, the file and
 * the place, where a value is missing or of another type; `null` counts as missing, as the library writes it.
 */
export class Section {
  private constructor(
    private readonly values: Readonly<Record<string, unknown>>,
    readonly file: string,
    readonly place: string,
    private readonly depth: number,
  ) {}

  static root(value: unknown, file: string): Section {
    return Section.of(value, file, '', 0);
  }

  private static of(value: unknown, file: string, place: string, depth: number): Section {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw wrong(value, 'an object', file, place);
    if (depth > deepest) {
      throw new WhenceError('malformed-file', `The parts of the tokenizer are nested more than ${deepest} deep.`, {
        file,
        place,
        mend: 'Save the tokenizer again with tokenizer.save_pretrained(...).',
      });
    }
    return new Section(value as Record<string, unknown>, file, place, depth);
  }

  get type(): string {
    return this.text('type');
  }

  has(key: string): boolean {
    return this.values[key] !== undefined && this.values[key] !== null;
  }

  value(key: string): unknown {
    return this.values[key];
  }

  keys(): string[] {
    return Object.keys(this.values);
  }

  text(key: string, absent?: string): string {
    return this.read(key, absent, 'a text', (value) => typeof value === 'string');
  }

  /** A text, or undefined where there is none. */
  textIfAny(key: string): string | undefined {
    return this.has(key) ? this.text(key) : undefined;
  }

  number(key: string, absent?: number): number {
    return this.read(key, absent, 'a number', (value) => typeof value === 'number' && Number.isFinite(value));
  }

  /** A whole number from 0 that an int32 holds. */
  id(key: string, absent?: number): number {
    return this.read(key, absent, 'a whole number from 0', isId);
  }

  truth(key: string, absent?: boolean): boolean {
    return this.read(key, absent, 'true or false', (value) => typeof value === 'boolean');
  }

  list(key: string): readonly unknown[] {
    return this.read<readonly unknown[]>(key, undefined, 'a list', Array.isArray);
  }

  object(key: string): Section {
    return Section.of(this.values[key], this.file, this.at(key), this.depth + 1);
  }

  objects(key: string): Section[] {
    return this.list(key).map((value, index) =>
      Section.of(value, this.file, `${this.at(key)}[${index}]`, this.depth + 1),
    );
  }

  /** A failure about a key of this object. */
  failure(key: string, message: string, code: 'malformed-file' | 'unsupported-format' = 'malformed-file'): WhenceError {
    return new WhenceError(code, message, {
      file: this.file,
      place: this.at(key),
      mend:
        code === 'malformed-file'
          ? 'Save the tokenizer again with tokenizer.save_pretrained(...).'
          : 'Tokenize the texts in Python, and give their ids as input_ids in JSON Lines.',
    });
  }

  wrong(key: string, wanted: string, value = this.values[key]): WhenceError {
    return wrong(value, wanted, this.file, this.at(key));
  }

  private read<T>(key: string, absent: T | undefined, wanted: string, fits: (value: unknown) => boolean): T {
    const value = this.values[key] ?? absent;
    if (!fits(value)) throw this.wrong(key, wanted);
    return value as T;
  }

  private at(key: string): string {
    return this.place === '' ? key : `${this.place}.${key}`;
  }
}

export function isId(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31;
}

function wrong(value: unknown, wanted: string, file: string, place: string): WhenceError {
  return new WhenceError('malformed-file', `The tokenizer has ${described(value)} where ${wanted} should stand.`, {
    file,
    ...(place === '' ? {} : { place }),
    mend: 'Save the tokenizer again with tokenizer.save_pretrained(...).',
  });
}

function described(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === 'object' ? 'an object' : JSON.stringify(value).slice(0, 40);
}
