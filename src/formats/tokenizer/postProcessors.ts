import { byteCharacters } from './characters';
import { type Encoding, joined, tokensOf, withType } from './encoding';
import { isId, type Section } from './section';

/** What is done to a text's tokens at last. */
export interface PostProcessor {
  /** How many special tokens `process` adds. */
  readonly adds: number;
  /** Takes the spaces that byte-level tokens hold off their spans, where the file wants that. */
  readonly trim?: SpanTrimmer | undefined;
  process(encoding: Encoding, addsSpecial: boolean): Encoding;
}

/** The span of a token without the spaces that it holds; `token` is as the vocabulary spells it. */
export type SpanTrimmer = (span: readonly [number, number], token: string, index: number) => readonly [number, number];

const postProcessors: Readonly<Record<string, (section: Section) => PostProcessor>> = {
  Sequence: (section) => {
    const parts = section.objects('processors').map(readPostProcessor);
    return {
      trim: parts.find(({ trim }) => trim)?.trim,
      adds: parts.reduce((sum, part) => sum + part.adds, 0),
      process: (encoding, addsSpecial) => parts.reduce((done, part) => part.process(done, addsSpecial), encoding),
    };
  },
  ByteLevel: (section) => ({ adds: 0, trim: spaceTrimmer(section), process: (encoding) => encoding }),
  BertProcessing: between,
  RobertaProcessing: (section) => ({ ...between(section), trim: spaceTrimmer(section) }),
  TemplateProcessing: template,
};

/** @throws WhenceError `unsupported-format` for a kind that is not known, `malformed-file` where its settings are wrong */
export function readPostProcessor(section: Section): PostProcessor {
  const { type } = section;
  const read = Object.hasOwn(postProcessors, type) ? postProcessors[type] : undefined;
  if (read) return read(section);
  throw section.failure('type', `The tokenizer's post-processor ${type} is not known.`, 'unsupported-format');
}

function between(section: Section): PostProcessor {
  const [first, last] = [namedId(section, 'cls'), namedId(section, 'sep')];
  return {
    adds: 2,
    process: (encoding, addsSpecial) =>
      addsSpecial ? joined([tokensOf([first], 0), encoding, tokensOf([last], 0)]) : encoding,
  };
}

/** `["[CLS]", 101]` */
function namedId(section: Section, key: string): number {
  const [, id] = section.list(key);
  if (!isId(id)) throw section.wrong(key, 'a token with its id');
  return id;
}

/** The template for one text: special tokens around the sequence A. */
function template(section: Section): PostProcessor {
  const known = section.object('special_tokens');
  const items = section.objects('single').map((item): { readonly type: number; readonly ids?: readonly number[] } => {
    if (item.has('Sequence')) return { type: item.object('Sequence').id('type_id', 0) };
    const special = item.object('SpecialToken');
    const name = special.text('id');
    if (!known.has(name))
      throw special.failure('id', `The template's token "${name}" is not among its special tokens.`);
    const ids = known.object(name).list('ids');
    if (!ids.every(isId)) throw known.object(name).wrong('ids', 'a list of ids');
    return { type: special.id('type_id', 0), ids };
  });
  return {
    adds: items.reduce((sum, { ids }) => sum + (ids?.length ?? 0), 0),
    process: (encoding, addsSpecial) =>
      joined(
        items.flatMap(({ type, ids }) => {
          if (!ids) return [withType(encoding, type)];
          return addsSpecial ? [tokensOf(ids, type)] : [];
        }),
      ),
  };
}

function spaceTrimmer(section: Section): SpanTrimmer | undefined {
  if (!section.truth('trim_offsets', true)) return undefined;
  const addsSpace = section.truth('add_prefix_space', true);
  return ([from, to], token, index) => {
    const characters = [...token];
    const leading = leadingSpaces(characters);
    const trailing = leadingSpaces(characters.reverse());
    // The one space that was put before the text is none of it.
    const isPut = addsSpace && leading === 1 && (index === 0 || from === 0);
    const start = isPut ? from : Math.min(from + leading, to);
    return [start, leading === characters.length ? start : Math.max(to - trailing, start)];
  };
}

const space = new RegExp(`^[${byteCharacters[0x20]}\\p{White_Space}]$`, 'v');

function leadingSpaces(characters: readonly string[]): number {
  const first = characters.findIndex((character) => !space.test(character));
  return first < 0 ? characters.length : first;
}
