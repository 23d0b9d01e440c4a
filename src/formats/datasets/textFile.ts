import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import type { Dataset } from '../dataset';
import type { DatasetConfig } from '../datasetConfig';
import { checkIndices } from './indices';
import { scanLines } from './lines';
import { noNumbers, textPreview } from './textColumn';

/** Texts that `datasets` hands on at a time, whose tokens are put end to end in training scripts. */
const mappedLines = 1000;
/** A text that is tokenized as a whole is in memory as one. */
const largestWhole = 32 * 2 ** 20;
const defaultBlock = 1024;

type TextConfig = DatasetConfig<'text'>;

/**
 * A plain text for language models: each line that is not blank is an example, or the tokens of all lines or of the whole
 * file are cut into blocks.
 * @throws WhenceError `empty-data` for a file without lines, `out-of-memory` for one too large to be tokenized as a whole
 */
export async function openTextDataset(
  source: ByteSource,
  config: Omit<TextConfig, 'format' | 'file'> = {},
): Promise<Dataset> {
  const { examples = 'lines', blockLength: length = defaultBlock } = config;
  if (examples === 'lines') return linesDataset(source);
  if (examples === 'blocks') return wholeDataset(source, length);
  return rawLinesDataset(source, length, config.lineBreaks ?? true);
}

async function linesDataset(source: ByteSource): Promise<Dataset> {
  const lines = await scanLines(source);
  if (lines.length === 0) throw empty(source);
  const read = async (from: number, to: number) => (await lines.text(from, to)).map((line) => line.replace(/\r$/, ''));
  return textDataset(source, lines.length, {
    texts: { read, blockEnd: lines.blockEnd },
    locate: (index) => ({ file: source.path, index, line: lines.number(index) }),
    indexAtLine: lines.at,
  });
}

/** The whole file as one text. */
async function wholeDataset(source: ByteSource, length: number): Promise<Dataset> {
  const text = await wholeText(source);
  return textDataset(source, 1, {
    texts: {
      read: async () => [text],
      blockEnd: () => 1,
      blocks: { length, together: Number.POSITIVE_INFINITY, isWhole: isWhole(text, source) },
    },
    locate: (index) => ({ file: source.path, index, line: 1 }),
  });
}

/** Every line as a text of its own, blank ones too, with its line break or without: what `datasets` reads of text files. */
async function rawLinesDataset(source: ByteSource, length: number, keepsBreaks: boolean): Promise<Dataset> {
  const text = (await wholeText(source)).replaceAll('\r\n', '\n');
  const lines = text.split(/(?<=\n)/);
  const texts = keepsBreaks ? lines : lines.map((line) => line.replace(/\n$/, ''));
  return textDataset(source, texts.length, {
    texts: {
      read: async (from, to) => texts.slice(from, to),
      blockEnd: (from) => Math.min(texts.length, from + mappedLines),
      blocks: { length, together: mappedLines, isWhole: keepsBreaks && isWhole(text, source) },
    },
    locate: (index) => ({ file: source.path, index, line: index + 1 }),
  });
}

function textDataset(
  source: ByteSource,
  length: number,
  own: Pick<Dataset, 'locate' | 'indexAtLine'> & { readonly texts: NonNullable<Dataset['texts']> },
): Dataset {
  return {
    format: 'text',
    files: [source.path],
    length,
    featureDims: [],
    labels: new Float64Array(length).fill(Number.NaN),
    ...own,
    batch: () => noNumbers(source.path),
    async preview(index) {
      checkIndices([index], length, source.path);
      return textPreview((await own.texts.read(index, index + 1))[0]!);
    },
  };
}

/** Not where a byte order mark, carriage returns or broken UTF-8 went. */
function isWhole(text: string, source: ByteSource): boolean {
  return new TextEncoder().encode(text).length === source.size;
}

async function wholeText(source: ByteSource): Promise<string> {
  if (source.size > largestWhole) {
    const limit = largestWhole / 2 ** 20;
    throw new WhenceError('out-of-memory', `A text that is cut into blocks may have up to ${limit} MB.`, {
      file: source.path,
      mend: 'Cut the file into smaller ones, or take "examples": "lines".',
    });
  }
  const text = new TextDecoder().decode(await source.read(0, source.size));
  if (text.trim() === '') throw empty(source);
  return text;
}

function empty(source: ByteSource): WhenceError {
  return new WhenceError('empty-data', 'The file has no lines.', {
    file: source.path,
    mend: 'Write the examples again, or name another file in whence.json.',
  });
}
