import { isId, type Section } from './section';

/** The largest vocabularies of today have a quarter of a million entries. */
const most = 4_000_000;

/** `vocab` of a model: ids by token. Fails with `malformed-file` where one is no id. */
export function readVocabulary(section: Section): Map<string, number> {
  const entries = section.object('vocab');
  const tokens = entries.keys();
  checkSize(section, tokens.length);
  const vocabulary = new Map<string, number>();
  for (const token of tokens) {
    const id = entries.value(token);
    if (!isId(id)) throw entries.wrong(token, 'an id (a whole number from 0)');
    vocabulary.set(token, id);
  }
  return vocabulary;
}

export function checkSize(section: Section, tokens: number): void {
  if (tokens === 0) throw section.failure('vocab', 'The vocabulary of the tokenizer is empty.');
  if (tokens > most) throw section.failure('vocab', `The vocabulary has ${tokens} tokens; up to ${most} are read.`);
}
