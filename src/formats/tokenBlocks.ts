import { WhenceError } from '../protocol/errors';
import type { Preview } from '../protocol/model';
import type { Dataset, TextReader } from './dataset';
import { checkIndices } from './datasets/indices';
import { JoinedTokens } from './joinedTokens';
import { type FilePlace, filePlaces } from './textPlaces';
import type { Encoding } from './tokenizer/encoding';
import { withArrays } from './tokenRows';

/**
 * Tokens of texts put end to end and cut into examples of equal length; those left over at the end of each group of texts are
 * left out. Each example knows its line and, where the texts are the file's bytes, these.
 * @throws WhenceError `empty-data` where there are not as many tokens as one block has
 */
export async function tokenBlocks(
  dataset: Dataset,
  texts: TextReader,
  { length, together }: NonNullable<TextReader['blocks']>,
  encode: (text: string) => Encoding,
): Promise<Dataset> {
  const file = dataset.files[0]!;
  const tokens = new JoinedTokens(length);
  let index = 0;
  for await (const text of allTexts(texts, dataset.length)) {
    if (index++ % together === 0) tokens.drop();
    tokens.add(text.length, encode(text));
  }
  const blocks = tokens.blocks();
  if (blocks.length === 0) {
    throw new WhenceError('empty-data', `The text has fewer tokens than the ${length} of one block.`, {
      file,
      mend: 'Set a smaller "blockLength" in whence.json, as training did.',
    });
  }
  const values = new Float32Array(blocks.length * length);
  blocks.forEach(({ ids }, row) => {
    values.set(ids, row * length);
  });
  const places = await filePlaces(
    blocks.map(({ from, to }) => [from, to]),
    allTexts(texts, dataset.length),
    (text) => dataset.locate(text).line ?? 1,
  );
  const described: Dataset = {
    ...dataset,
    length: blocks.length,
    labels: new Float64Array(blocks.length).fill(Number.NaN),
    locate(at) {
      const { line, bytes } = places[at]!;
      return { file, index: at, line, ...(texts.blocks?.isWhole ? { byte: bytes[0], endByte: bytes[1] } : {}) };
    },
    indexAtLine: (line) => lastFrom(places, line),
    async preview(at) {
      checkIndices([at], blocks.length, file);
      const { from, to } = blocks[at]!;
      return preview(await tokens.text(texts, from, to), from, tokens.spans(at));
    },
  };
  return withArrays(described, [{ name: 'input_ids', dims: [length], values }]);
}

/** All texts in order. */
export async function* allTexts(texts: TextReader, length: number): AsyncGenerator<string> {
  for (let from = 0; from < length; ) {
    const to = Math.min(length, texts.blockEnd(from));
    yield* await texts.read(from, to);
    from = to;
  }
}

function preview(text: string, from: number, spans: readonly (readonly [number, number])[]): Preview {
  return { kind: 'text', text, tokens: spans.map(([start, end]) => [start - from, end - from] as const) };
}

/** The last block that begins on a line or before. */
function lastFrom(places: readonly FilePlace[], line: number): number | undefined {
  const after = places.findIndex((place) => place.line > line);
  const found = (after < 0 ? places.length : after) - 1;
  return found < 0 ? undefined : found;
}
