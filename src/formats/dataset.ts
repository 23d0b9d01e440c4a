import type { Location, Preview } from '../protocol/model';
import type { Pixels } from './images/pixels';

export type { DatasetConfig } from './datasetConfig';

/** A batch as the model wants it before preprocessing: `inputs` row-major [count, ...featureDims] and one label each. */
export interface RawBatch {
  readonly inputs: Float32Array;
  readonly labels: Float64Array;
}

/**
 * One array of every example under its own name, in memory: token ids, their mask, a label for each token. Shorter ones are
 * filled up, with -1 where they are labels, else with 0.
 */
export interface ExampleArray {
  readonly name: string;
  /** Shape of one example's array; the longest one's where they differ. */
  readonly dims: readonly number[];
  /** Row-major [length, ...dims] */
  readonly values: Float32Array;
  /** Elements that the file holds of each example, where not all are as long. */
  readonly lengths?: Int32Array;
}

/** Pictures of 8 bits, before anything was done to them. */
export interface PictureReader {
  /** `files`: each in one of its own and of its own size; `array`: all of one size, in one. */
  readonly stored: 'files' | 'array';
  /** Of the first one. */
  readonly size: Pick<Pixels, 'width' | 'height'>;
  readonly channels: Pixels['channels'];
  decode(index: number): Promise<Pixels>;
}

/** Examples as texts, before a tokenizer made ids of them. */
export interface TextReader {
  /** Texts `from` to `to - 1`. */
  read(from: number, to: number): Promise<readonly string[]>;
  /** How many texts from `from` on make a read of handy size. */
  blockEnd(from: number): number;
  /**
   * Where the texts are no examples of their own: their tokens are put end to end, those of so many texts `together`, and cut
   * into examples of `length` tokens; what is left over at the end is left out.
   */
  readonly blocks?: {
    readonly length: number;
    readonly together: number;
    /** Whether the texts are the bytes of the file, all of them. */
    readonly isWhole: boolean;
  };
}

/** Examples of one file (or pair of files), by index. */
export interface Dataset {
  readonly format: string;
  readonly files: readonly string[];
  /** The file of labels, where it is none of the examples'. */
  readonly labelFile?: string;
  readonly length: number;
  /** Shape of one example's features: [28, 28] for an IDX image, [30] for 30 columns. */
  readonly featureDims: readonly number[];
  /** All of an example's arrays by name, where the file has such; `batch` gives the first one. */
  readonly arrays?: readonly ExampleArray[];
  /** Which of `arrays` holds a label for every token. */
  readonly tokenLabels?: string;
  /** The examples as pictures, where they are such: what can be resized and cropped. */
  readonly pictures?: PictureReader;
  /** The examples as texts, where they are such: what `tokenizedDataset` makes arrays of. */
  readonly texts?: TextReader;
  /** Class names, where the file's labels are names and not numbers. */
  readonly classes?: readonly string[];
  /** All labels by index; NaN where the file holds none. */
  readonly labels: Float64Array;
  /** Examples `indices`, in that order. Labels are NaN where the file holds none. */
  batch(indices: readonly number[]): Promise<RawBatch>;
  preview(index: number): Promise<Preview>;
  locate(index: number): Location;
  /** The example on a line (counted from 1) of a text file; undefined for headers and for binary files. */
  indexAtLine?(line: number): number | undefined;
}
