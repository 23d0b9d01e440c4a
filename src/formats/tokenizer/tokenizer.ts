import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { type AddedTokens, type Piece, readAddedTokens } from './addedTokens';
import { AlignedText } from './alignedText';
import { type Encoding, truncated } from './encoding';
import { readModel, type TokenModel, type WordTokens } from './model';
import type { Normalizer } from './normalizer';
import { readNormalizer } from './normalizers';
import { type PostProcessor, readPostProcessor } from './postProcessors';
import { type PreTokenizer, readPreTokenizer } from './preTokenizers';
import { Section } from './section';

export interface EncodeOptions {
  /** Whether the post-processor adds its tokens (`[CLS]`). Default true. */
  readonly addsSpecial?: boolean;
  /** Tokens at most, special ones included; the rest is cut off at `side`. */
  readonly maxLength?: number | undefined;
  readonly side?: 'left' | 'right' | undefined;
}

/** Larger than the largest in use (some 35 MB) by far. */
const largestFile = 256 * 2 ** 20;
/** Words whose tokens are remembered. */
const remembered = 50_000;
/** Words of more UTF-16 units than this are not worth remembering. */
const longestRemembered = 64;

/** A tokenizer of Hugging Face's library as its `tokenizer.json` describes it. */
export class Tokenizer {
  private readonly words = new Map<string, WordTokens>();
  private texts: Map<number, string> | undefined;

  constructor(
    readonly file: string,
    private readonly normalize: Normalizer,
    private readonly preTokenize: PreTokenizer,
    private readonly model: TokenModel,
    private readonly postProcessor: PostProcessor,
    private readonly added: AddedTokens,
    /** What the file itself says of cutting and filling up. */
    readonly lengths: TokenizerLengths,
  ) {}

  /** The id of a token of the vocabulary, special ones included. */
  idOf(token: string): number | undefined {
    return this.added.ids.get(token) ?? this.model.vocabulary.get(token);
  }

  /** A token as the vocabulary spells it; empty for an id that it lacks. */
  tokenText(id: number): string {
    this.texts ??= new Map([...this.model.vocabulary, ...this.added.ids].map(([text, own]) => [own, text]));
    return this.texts.get(id) ?? '';
  }

  isSpecial(id: number): boolean {
    return this.added.special.has(id);
  }

  /** The same ids, types and spans as `Tokenizer.encode` of the Python library gives. */
  encode(text: string, { addsSpecial = true, maxLength, side = 'right' }: EncodeOptions = {}): Encoding {
    const ids: number[] = [];
    const spans: (readonly [number, number])[] = [];
    const { trim } = this.postProcessor;
    const add = (piece: AlignedText, id: number, from: number, to: number, added?: string) => {
      const span = [piece.start(from), piece.end(to - 1)] as const;
      spans.push(trim ? trim(span, added ?? this.tokenText(id), ids.length) : span);
      ids.push(id);
    };
    for (const piece of this.pieces(text)) {
      if (piece.id !== undefined) {
        add(piece.text, piece.id, 0, piece.text.length, piece.text.text);
        continue;
      }
      for (const word of this.preTokenize(piece.text)) {
        const tokens = this.wordTokens(word.text);
        for (let token = 0; token < tokens.ids.length; token++) {
          const [from, to] = tokens.spans[token]!;
          add(word, tokens.ids[token]!, from, to);
        }
      }
    }
    const encoding: Encoding = { ids, spans, types: ids.map(() => 0) };
    const room = maxLength === undefined ? ids.length : maxLength - (addsSpecial ? this.postProcessor.adds : 0);
    return this.postProcessor.process(truncated(encoding, Math.max(0, room), side), addsSpecial);
  }

  /** The text cut at added tokens, and normalized between them. */
  private pieces(text: string): Piece[] {
    return this.added
      .beforeNormalization(new AlignedText(text))
      .flatMap((piece) =>
        piece.id === undefined ? this.added.afterNormalization(this.normalize(piece.text)) : [piece],
      )
      .filter((piece) => piece.text.length > 0);
  }

  private wordTokens(word: string): WordTokens {
    if (word.length > longestRemembered) return this.model.tokenize(word);
    const known = this.words.get(word);
    if (known) return known;
    const tokens = this.model.tokenize(word);
    if (this.words.size >= remembered) this.words.clear();
    this.words.set(word, tokens);
    return tokens;
  }
}

/** The file's own truncation and padding, as the last call in Python left them. */
export interface TokenizerLengths {
  readonly maxLength: number | undefined;
  readonly side: 'left' | 'right' | undefined;
  /** The token that fills up shorter texts. */
  readonly padding: number | undefined;
}

/**
 * Reads a `tokenizer.json`.
 * @throws WhenceError `malformed-file` with the place in the file where something is broken; `unsupported-format` for kinds
 * of parts that are not known and for regular expressions that JavaScript cannot express
 */
export async function openTokenizer(source: ByteSource): Promise<Tokenizer> {
  const root = Section.root(await readJson(source), source.path);
  if (!root.has('model')) throw root.failure('model', 'The file is no tokenizer.json: it has no model.');
  const normalize = root.has('normalizer') ? readNormalizer(root.object('normalizer')) : (text: AlignedText) => text;
  const preTokenize = root.has('pre_tokenizer')
    ? readPreTokenizer(root.object('pre_tokenizer'))
    : (piece: AlignedText) => [piece];
  const model = readModel(root.object('model'));
  const added = readAddedTokens(root, normalize);
  const postProcessor = root.has('post_processor')
    ? readPostProcessor(root.object('post_processor'))
    : { adds: 0, process: (encoding: Encoding) => encoding };
  return new Tokenizer(source.path, normalize, preTokenize, model, postProcessor, added, readLengths(root));
}

function readLengths(root: Section): TokenizerLengths {
  const truncation = root.has('truncation') ? root.object('truncation') : undefined;
  const padding = root.has('padding') ? root.object('padding') : undefined;
  return {
    maxLength: truncation?.id('max_length'),
    side: truncation && (truncation.text('direction', 'Right').toLowerCase() === 'left' ? 'left' : 'right'),
    padding: padding?.id('pad_id', 0),
  };
}

async function readJson(source: ByteSource): Promise<unknown> {
  const mend = 'Save the tokenizer again with tokenizer.save_pretrained(...).';
  if (source.size > largestFile) {
    throw new WhenceError('malformed-file', `A tokenizer.json of ${source.size} bytes is larger than any is.`, {
      file: source.path,
      mend,
    });
  }
  const text = new TextDecoder().decode(await source.read(0, source.size));
  try {
    return JSON.parse(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new WhenceError('malformed-file', `The tokenizer is not valid JSON (${message}).`, {
      file: source.path,
      ...(/position (\d+)/.test(message) ? { place: `character ${/position (\d+)/.exec(message)![1]}` } : {}),
      mend,
    });
  }
}
