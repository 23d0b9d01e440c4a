/** How texts became token ids: `preprocess.tokenizer` of `whence.json`. */
export interface TokenizerConfig {
  /** A `tokenizer.json`, as seen from `whence.json`. */
  readonly file: string;
  /** Tokens of an example at most, special ones included. Default: what the file says, else all. */
  readonly maxLength?: number;
  /** Which end is cut off. Default: what the file says, else `right`. */
  readonly truncation?: 'right' | 'left';
  /** How long examples are filled up: as the longest of all, or to `maxLength`. Default `longest`. */
  readonly padding?: 'longest' | 'max';
  /** Whether the file's template of special tokens is filled. Default true. */
  readonly addSpecialTokens?: boolean;
  /** A token that stands after every text. */
  readonly endToken?: string;
}
