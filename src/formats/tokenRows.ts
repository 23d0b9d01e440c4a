import { WhenceError } from '../protocol/errors';
import type { Dataset, ExampleArray } from './dataset';
import { checkIndices } from './datasets/indices';
import type { Encoding } from './tokenizer/encoding';

/** Tokens that all examples of a split may come to, filled up to equal length: 2 GB. */
const mostTokens = 2 ** 29;

/** Gathers the token ids of examples of different lengths. */
export class TokenRows {
  private ids = new Int32Array(2 ** 16);
  private types = new Int32Array(0);
  private used = 0;
  private count = 0;
  private longest = 0;
  private readonly lengths: Int32Array;

  constructor(
    private readonly rows: number,
    private readonly file: string,
  ) {
    this.lengths = new Int32Array(rows);
  }

  add({ ids, types }: Encoding): void {
    const end = this.used + ids.length;
    this.longest = Math.max(this.longest, ids.length);
    if (this.longest * this.rows > mostTokens) throw tooMany(this.rows, this.longest, this.file);
    if (end > this.ids.length) this.ids = grown(this.ids, 2 * end);
    this.ids.set(ids, this.used);
    if (types.some((type) => type !== 0)) {
      if (end > this.types.length) this.types = grown(this.types, this.ids.length);
      this.types.set(types, this.used);
    }
    this.used = end;
    this.lengths[this.count++] = ids.length;
  }

  /** `input_ids` and, where there are such, `token_type_ids`; `length` is that of every example, by default the longest's. */
  finish(length: number | undefined, padding: number): ExampleArray[] {
    if (this.longest === 0) {
      throw new WhenceError('empty-data', 'The texts have no tokens.', {
        file: this.file,
        mend: 'Name another key or file in whence.json.',
      });
    }
    const ids = this.array('input_ids', this.ids, length ?? this.longest, padding);
    return this.types.length === 0 ? [ids] : [ids, this.array('token_type_ids', this.types, length ?? this.longest, 0)];
  }

  private array(name: string, tokens: Int32Array, width: number, filler: number): ExampleArray {
    const values = new Float32Array(this.rows * width).fill(filler);
    let from = 0;
    this.lengths.forEach((length, row) => {
      values.set(tokens.subarray(from, from + length), row * width);
      from += length;
    });
    const isRagged = this.lengths.some((length) => length !== width);
    return { name, dims: [width], values, ...(isRagged ? { lengths: this.lengths } : {}) };
  }
}

function grown(array: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const result = new Int32Array(length);
  result.set(array);
  return result;
}

function tooMany(rows: number, tokens: number, file: string): WhenceError {
  return new WhenceError(
    'out-of-memory',
    `${rows} examples of up to ${tokens} tokens are more than the ${mostTokens} that are held.`,
    {
      file,
      mend: 'Set "maxLength" in `preprocess.tokenizer` of whence.json, or take a part of the examples.',
    },
  );
}

/** The data set with these arrays instead of its texts. */
export function withArrays({ texts: _, ...dataset }: Dataset, arrays: readonly ExampleArray[]): Dataset {
  const [primary] = arrays as [ExampleArray, ...ExampleArray[]];
  const width = primary.dims[0]!;
  return {
    ...dataset,
    featureDims: primary.dims,
    arrays,
    async batch(indices) {
      checkIndices(indices, dataset.length, dataset.files[0]!);
      const inputs = new Float32Array(indices.length * width);
      indices.forEach((index, row) => {
        inputs.set(primary.values.subarray(index * width, (index + 1) * width), row * width);
      });
      return { inputs, labels: Float64Array.from(indices, (index) => dataset.labels[index]!) };
    },
  };
}
