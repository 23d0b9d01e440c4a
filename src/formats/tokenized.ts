import { WhenceError } from '../protocol/errors';
import type { Dataset } from './dataset';
import { allTexts, tokenBlocks } from './tokenBlocks';
import type { TokenizerConfig } from './tokenizer/config';
import type { Encoding } from './tokenizer/encoding';
import type { Tokenizer } from './tokenizer/tokenizer';
import { TokenRows, withArrays } from './tokenRows';

/** A tokenizer with what a run's configuration says of its use. */
export interface Tokenizing {
  readonly tokenizer: Tokenizer;
  readonly config: TokenizerConfig;
}

/**
 * A data set whose texts are token ids: `input_ids`, with the length of each example, filled up with the tokenizer's padding
 * token; `token_type_ids` where they are not all 0. All ids are made once and stay in memory, 4 bytes each.
 * @throws WhenceError `config-invalid` where the end token is none of the tokenizer's, `out-of-memory` where there are too many
 */
export async function tokenizedDataset(dataset: Dataset, tokenizing: Tokenizing): Promise<Dataset> {
  const { texts } = dataset;
  if (!texts) return dataset;
  if (texts.blocks) return tokenBlocks(dataset, texts, texts.blocks, (text) => encoded(text, tokenizing));
  const rows = new TokenRows(dataset.length, dataset.files[0]!);
  for await (const text of allTexts(texts, dataset.length)) rows.add(encoded(text, tokenizing));
  const arrays = rows.finish(paddedLength(tokenizing), paddingId(tokenizing));
  return withArrays(
    {
      ...dataset,
      async preview(index) {
        const shown = await dataset.preview(index);
        if (shown.kind !== 'text') return shown;
        const { ids, spans } = encoded((await texts.read(index, index + 1))[0]!, tokenizing);
        return {
          ...shown,
          tokens: ids.flatMap((_, token) => (spans[token]![1] > spans[token]![0] ? [spans[token]!] : [])),
        };
      },
    },
    arrays,
  );
}

function encoded(text: string, { tokenizer, config }: Tokenizing): Encoding {
  const { endToken, maxLength = tokenizer.lengths.maxLength } = config;
  const end = endToken === undefined ? undefined : endId(endToken, tokenizer);
  const encoding = tokenizer.encode(text, {
    addsSpecial: config.addSpecialTokens ?? true,
    maxLength: maxLength === undefined || end === undefined ? maxLength : maxLength - 1,
    side: config.truncation ?? tokenizer.lengths.side,
  });
  if (end === undefined) return encoding;
  const { ids, spans, types } = encoding;
  return { ids: [...ids, end], spans: [...spans, [0, 0]], types: [...types, 0] };
}

function endId(token: string, tokenizer: Tokenizer): number {
  const id = tokenizer.idOf(token);
  if (id !== undefined) return id;
  throw new WhenceError('config-invalid', `The tokenizer has no token "${token}".`, {
    file: tokenizer.file,
    place: 'added_tokens',
    mend: 'Name a token of the vocabulary as `preprocess.tokenizer.endToken` in whence.json.',
  });
}

function paddedLength({ tokenizer, config }: Tokenizing): number | undefined {
  if (config.padding !== 'max') return undefined;
  const length = config.maxLength ?? tokenizer.lengths.maxLength;
  if (length !== undefined) return length;
  throw new WhenceError('config-invalid', 'Examples are to be filled up to a length that nothing says.', {
    file: tokenizer.file,
    mend: 'Add "maxLength" to `preprocess.tokenizer` in whence.json.',
  });
}

const paddingTokens = ['[PAD]', '<pad>', '<|pad|>', '<|endoftext|>', '</s>'];

/** The file's own padding token, else one that is called like such. */
function paddingId({ tokenizer }: Tokenizing): number {
  const named = paddingTokens.map((token) => tokenizer.idOf(token)).find((id) => id !== undefined);
  return tokenizer.lengths.padding ?? named ?? 0;
}
