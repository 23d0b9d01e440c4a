import { wordClass } from './characters';

/** POSIX brackets and shorthands as the inside of a JavaScript class. */
const posixClasses: Readonly<Record<string, string>> = {
  alpha: '\\p{Alphabetic}',
  alnum: '\\p{Alphabetic}\\p{Nd}',
  ascii: '\\u{0}-\\u{7f}',
  blank: '\\t\\p{Zs}',
  cntrl: '\\p{Cc}',
  digit: '\\p{Nd}',
  graph: '[^\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]',
  lower: '\\p{Lowercase}',
  print: '[[^\\p{White_Space}\\p{Cc}\\p{Cn}\\p{Cs}]\\p{Zs}]',
  punct: '\\p{P}\\p{S}',
  space: '\\p{White_Space}',
  upper: '\\p{Uppercase}',
  word: wordClass,
  xdigit: '0-9A-Fa-f',
};

const shorthands: Readonly<Record<string, string>> = {
  d: '\\p{Nd}',
  h: posixClasses.xdigit!,
  s: '\\p{White_Space}',
  w: wordClass,
};

const controls: Readonly<Record<string, string>> = {
  a: '\x07',
  e: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** Reads a pattern from left to right; failures name the position. */
export class PatternReader {
  at = 0;

  constructor(readonly pattern: string) {}

  get rest(): string {
    return this.pattern.slice(this.at);
  }

  take(text: string): boolean {
    if (!this.pattern.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  match(pattern: RegExp): RegExpExecArray | undefined {
    const found = pattern.exec(this.rest);
    if (found?.index !== 0) return undefined;
    this.at += found[0].length;
    return found;
  }

  /** The next character (code point). */
  next(): string {
    if (this.at >= this.pattern.length) throw new SyntaxError('it ends where more should follow');
    const character = String.fromCodePoint(this.pattern.codePointAt(this.at)!);
    this.at += character.length;
    return character;
  }

  /**
   * What follows a backslash and is a set of characters, as the inside of a JavaScript class; a single character otherwise;
   * undefined (and nothing read) for what is neither.
   */
  escape(): { readonly set: string } | { readonly character: string } | undefined {
    const property = this.match(/[pP]\{\^?[^}]*\}/);
    if (property) return { set: propertyClass(property[0]) };
    const hex = this.match(/x\{([0-9a-f]{1,6})\}|x([0-9a-f]{1,2})|u([0-9a-f]{4})/i);
    if (hex) return { character: String.fromCodePoint(Number.parseInt(hex[1] ?? hex[2] ?? hex[3]!, 16)) };
    const letter = this.match(/[a-zA-Z0-9]/)?.[0];
    if (letter === undefined) return { character: this.next() };
    const set = shorthands[letter.toLowerCase()];
    if (set !== undefined) return { set: letter === letter.toLowerCase() ? set : `[^${set}]` };
    const control = controls[letter];
    if (control !== undefined) return { character: control };
    this.at--;
    return undefined;
  }
}

/** `\p{...}` of Oniguruma: general categories, scripts and binary properties, by any of their names. */
function propertyClass(text: string): string {
  const isInverted = (text[0] === 'P') !== (text[2] === '^');
  const name = text.slice(text[2] === '^' ? 3 : 2, -1);
  const posix = posixClasses[name.toLowerCase()];
  if (posix !== undefined) return isInverted ? `[^${posix}]` : posix;
  for (const property of [name, `Script=${name}`, capitalized(name), `Script=${capitalized(name)}`]) {
    if (isPattern(`\\p{${property}}`)) return `\\${isInverted ? 'P' : 'p'}{${property}}`;
  }
  throw new SyntaxError(`\\p{${name}} is no property that JavaScript knows`);
}

function isPattern(source: string): boolean {
  try {
    return Boolean(new RegExp(source, 'v'));
  } catch {
    return false;
  }
}

function capitalized(name: string): string {
  return name
    .toLowerCase()
    .replace(/[-\s]/g, '_')
    .replace(/(^|_)[a-z]/g, (letters) => letters.toUpperCase());
}

/** A character that stands for nothing but itself, in and outside of classes. */
export function literal(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/** All characters that one matches where case does not count. */
export function caseVariants(character: string): string[] {
  const folded = (one: string) => one.toUpperCase().toLowerCase();
  // The long s, and the signs of Kelvin and Ångström, which have letters for their lower case.
  const candidates = [character, character.toLowerCase(), character.toUpperCase(), '\u017f', '\u212a', '\u212b'];
  const same = candidates.filter((one) => [...one].length === 1 && folded(one) === folded(character));
  return [...new Set(same)];
}

const casedSet = /\\p\{(?:Lu|Ll|Lt|Uppercase|Lowercase|Uppercase_Letter|Lowercase_Letter)\}/g;

/** A set of letters of one case, where case does not count. */
export function withBothCases(set: string): string {
  return set.replace(casedSet, '\\p{Lu}\\p{Ll}\\p{Lt}');
}

/** A bracketed class, its opening bracket read already, as one of JavaScript's with the flag v. */
export function readClass(reader: PatternReader, ignoresCase: boolean, depth = 0): string {
  if (depth > 16) throw new SyntaxError('its classes are nested too deep');
  const negation = reader.take('^') ? '^' : '';
  const operands = [''];
  const add = (set: string) => {
    operands[operands.length - 1] += ignoresCase ? withBothCases(set) : set;
  };
  const single = (character: string) => (ignoresCase ? caseVariants(character) : [character]).map(literal).join('');
  for (let isFirst = true; ; isFirst = false) {
    if (!isFirst && reader.take(']')) break;
    if (reader.take('&&')) {
      operands.push('');
      continue;
    }
    const posix = reader.match(/\[:(\^?)([a-z]+):\]/);
    if (posix) {
      const set = posixClasses[posix[2]!];
      if (set === undefined) throw new SyntaxError(`${posix[0]} is no class`);
      add(posix[1] ? `[^${set}]` : set);
    } else if (reader.take('[')) add(readClass(reader, ignoresCase, depth + 1));
    else {
      const from = readMember(reader);
      if (typeof from !== 'string') {
        add(from.set);
        continue;
      }
      // A hyphen before the closing bracket or another class is one itself.
      if (!/^-[^\]]/.test(reader.rest) || /^-(\[|&&)/.test(reader.rest)) {
        add(single(from));
        continue;
      }
      reader.take('-');
      const to = readMember(reader);
      if (typeof to !== 'string') add(`${single(from)}${literal('-')}${to.set}`);
      else add(`${literal(from)}-${literal(to)}${ignoresCase ? otherCase(from, to) : ''}`);
    }
  }
  if (operands.length === 1) return `[${negation}${operands[0]}]`;
  return `[${negation}${operands.map((operand) => `[${operand}]`).join('&&')}]`;
}

function readMember(reader: PatternReader): string | { readonly set: string } {
  if (!reader.take('\\')) return reader.next();
  if (reader.take('b')) return '\b';
  const escaped = reader.escape();
  if (!escaped) throw new SyntaxError(`\\${reader.next()} in a class is not understood`);
  return 'set' in escaped ? escaped : escaped.character;
}

/** The letters of the other case of a range; only those of ASCII come in ranges. */
function otherCase(from: string, to: string): string {
  let result = '';
  for (let code = from.codePointAt(0)!; code <= Math.min(to.codePointAt(0)!, 0x7a); code++) {
    const variants = caseVariants(String.fromCodePoint(code));
    if (variants.length > 1) result += variants.map(literal).join('');
  }
  return result;
}
