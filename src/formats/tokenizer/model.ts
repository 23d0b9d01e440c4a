import { readBpe } from './bpe';
import type { Section } from './section';
import { readUnigram } from './unigram';
import { readWordLevel, readWordPiece } from './words';

/** Ids of a word's tokens, and for each the [start, end) of its UTF-16 units in the word. */
export interface WordTokens {
  readonly ids: readonly number[];
  readonly spans: readonly (readonly [number, number])[];
}

/** The part that turns words into ids. */
export interface TokenModel {
  /** Words are looked up here before anything is computed. */
  readonly vocabulary: ReadonlyMap<string, number>;
  tokenize(word: string): WordTokens;
}

const models: Readonly<Record<string, (section: Section) => TokenModel>> = {
  BPE: readBpe,
  Unigram: readUnigram,
  WordLevel: readWordLevel,
  WordPiece: readWordPiece,
};

/** @throws WhenceError `unsupported-format` for a kind that is not known, `malformed-file` where its contents are wrong */
export function readModel(section: Section): TokenModel {
  const type = section.textIfAny('type') ?? guess(section);
  const read = Object.hasOwn(models, type) ? models[type] : undefined;
  if (read) return read(section);
  throw section.failure('type', `The tokenizer's model ${type} is not known.`, 'unsupported-format');
}

/** Older files do not name the kind. */
function guess(section: Section): string {
  if (section.has('merges')) return 'BPE';
  if (Array.isArray(section.value('vocab'))) return 'Unigram';
  return section.has('continuing_subword_prefix') ? 'WordPiece' : 'WordLevel';
}
