import { characterAt } from './alignedText';
import type { TokenModel } from './model';
import type { Section } from './section';
import { readVocabulary } from './vocabulary';

/** One token a word. */
export function readWordLevel(section: Section): TokenModel {
  const vocabulary = readVocabulary(section);
  const unknown = unknownToken(section, vocabulary, '<unk>');
  return {
    vocabulary,
    tokenize: (word) => ({ ids: [vocabulary.get(word) ?? unknown()], spans: [[0, word.length]] }),
  };
}

/** The longest piece first, from left to right (BERT); a word with a part that has no piece is unknown as a whole. */
export function readWordPiece(section: Section): TokenModel {
  const vocabulary = readVocabulary(section);
  const unknown = unknownToken(section, vocabulary, '[UNK]');
  const prefix = section.text('continuing_subword_prefix', '##');
  const longest = section.id('max_input_chars_per_word', 100);
  let longestPiece = 0;
  for (const piece of vocabulary.keys()) longestPiece = Math.max(longestPiece, piece.length);
  return {
    vocabulary,
    tokenize(word) {
      const whole = () => ({ ids: [unknown()], spans: [[0, word.length] as const] });
      if ([...word].length > longest) return whole();
      const ids: number[] = [];
      const spans: [number, number][] = [];
      for (let from = 0; from < word.length; ) {
        let to = Math.min(word.length, from + longestPiece);
        let id: number | undefined;
        for (; to > from; to--) {
          // A pair of surrogates is one character.
          if (to < word.length && characterAt(word, to - 1).length === 2) continue;
          const piece = word.slice(from, to);
          id = vocabulary.get(from === 0 ? piece : prefix + piece);
          if (id !== undefined) break;
        }
        if (id === undefined) return whole();
        ids.push(id);
        spans.push([from, to]);
        from = to;
      }
      return { ids, spans };
    },
  };
}

/** The id of unknown words; asked for only where a word is unknown. */
function unknownToken(section: Section, vocabulary: ReadonlyMap<string, number>, absent: string): () => number {
  const token = section.text('unk_token', absent);
  return () => {
    const id = vocabulary.get(token);
    if (id !== undefined) return id;
    throw section.failure('unk_token', `A word is unknown, and the vocabulary has no token "${token}" for such.`);
  };
}
