import { wordClass } from './characters';
import { caseVariants, literal, PatternReader, readClass, withBothCases } from './onigurumaClass';

/** One part of a pattern, translated. */
interface Part {
  readonly source: string;
  /** Whether it can match texts of different lengths in more than one way: repeating such a part can take forever. */
  readonly isVariable: boolean;
}

interface Flags {
  readonly ignoresCase: boolean;
  /** Whether a dot matches newlines too. */
  readonly dotAll: boolean;
}

const longest = 20_000;
const deepest = 32;

/**
 * A regular expression of Oniguruma, as `tokenizer.json` holds them, as one of JavaScript's with the flags `g` and `v` that
 * matches the same. Groups capture nothing; possessive and atomic parts become lookaheads; what follows `(?i)` is spelled
 * out in both cases.
 * @throws SyntaxError with the construct that JavaScript cannot express, or whose matching could take exponential time
 */
export function fromOniguruma(pattern: string): RegExp {
  if (pattern.length > longest) throw new SyntaxError(`it is longer than ${longest} characters`);
  const translation = new Translation(pattern);
  return new RegExp(translation.all(), 'gv');
}

class Translation {
  private readonly reader: PatternReader;
  private atoms = 0;

  constructor(pattern: string) {
    this.reader = new PatternReader(pattern);
  }

  all(): string {
    const { source } = this.alternatives({ ignoresCase: false, dotAll: false }, 0);
    if (this.reader.rest !== '') throw new SyntaxError('it has a closing parenthesis too many');
    return source;
  }

  private alternatives(flags: Flags, depth: number): Part {
    if (depth > deepest) throw new SyntaxError('its groups are nested too deep');
    const { reader } = this;
    let source = '';
    let isVariable = false;
    while (reader.rest !== '' && !reader.rest.startsWith(')')) {
      if (reader.take('|')) {
        source += '|';
        continue;
      }
      const options = reader.match(/\(\?([imx]*)(?:-([imx]+))?\)/);
      // It holds up to the end of the group, and all alternatives from here on are one part.
      const part = options
        ? this.rest(changed(flags, options[1]!, options[2] ?? ''), depth)
        : this.quantified(this.atom(flags, depth));
      source += part.source;
      isVariable ||= part.isVariable;
    }
    return { source, isVariable };
  }

  private rest(flags: Flags, depth: number): Part {
    const { source, isVariable } = this.alternatives(flags, depth + 1);
    return { source: `(?:${source})`, isVariable };
  }

  private quantified(atom: Part): Part {
    let part = atom;
    for (;;) {
      const found = this.reader.match(/([*+?]|\{\d*,\d+\}|\{\d+,?\})([+?]?)/);
      if (!found) return part;
      part = this.repeated(part, found[1]!, found[2]!);
    }
  }

  private repeated(part: Part, quantifier: string, suffix: string): Part {
    const [, least, most] = /^\{(\d*)(?:,(\d*))?\}$/.exec(quantifier) ?? [];
    const isInterval = quantifier.startsWith('{');
    const isEndless = quantifier === '*' || quantifier === '+' || (quantifier.includes(',') && most === '');
    if (isEndless && part.isVariable) {
      throw new SyntaxError(`${quantifier} repeats a part that itself repeats, which can take exponential time`);
    }
    const range = isInterval ? `{${least || '0'}${quantifier.includes(',') ? `,${most}` : ''}}` : quantifier;
    if (isInterval && suffix === '+') {
      // Not possessive here: it repeats the interval, which any number from the least on fulfils.
      return { source: `(?:${part.source}){${least || '0'},}`, isVariable: true };
    }
    const repeated = `${part.source}${range}${suffix === '?' ? '?' : ''}`;
    const isVariable = part.isVariable || quantifier.includes(',') || !isInterval;
    return suffix === '+' ? this.atomic(repeated) : { source: repeated, isVariable };
  }

  /** What once matched is not given back: a lookahead, whose match stays, and the same text again. */
  private atomic(source: string): Part {
    const name = `a${this.atoms++}`;
    return { source: `(?:(?=(?<${name}>${source}))\\k<${name}>)`, isVariable: false };
  }

  private atom(flags: Flags, depth: number): Part {
    const { reader } = this;
    const fixed = (source: string): Part => ({ source, isVariable: false });
    if (reader.take('(')) return this.group(flags, depth);
    if (reader.take('[')) return fixed(readClass(reader, flags.ignoresCase));
    if (reader.take('.')) return fixed(flags.dotAll ? anything : '[^\\n]');
    if (reader.take('^')) return fixed('(?<![^\\n])');
    if (reader.take('$')) return fixed('(?![^\\n])');
    if (!reader.take('\\')) {
      const character = reader.next();
      if ('*+?'.includes(character)) throw new SyntaxError(`${character} stands where nothing can be repeated`);
      return fixed(single(character, flags));
    }
    const anchor = reader.match(/[AzZbB]/)?.[0];
    if (anchor !== undefined) return fixed(anchors[anchor]!);
    const escaped = reader.escape();
    if (!escaped) throw new SyntaxError(`\\${reader.next()} is not understood`);
    return fixed(
      'set' in escaped
        ? `[${flags.ignoresCase ? withBothCases(escaped.set) : escaped.set}]`
        : single(escaped.character, flags),
    );
  }

  private group(flags: Flags, depth: number): Part {
    const { reader } = this;
    if (reader.match(/\?#[^)]*\)/)) return { source: '', isVariable: false };
    const kind = reader.match(/\?(?:<?[=!]|[:>]|<[A-Za-z_]\w*>|([imx]*)(?:-([imx]+))?:)/);
    if (!kind && reader.rest.startsWith('?')) throw new SyntaxError(`(${reader.rest.slice(0, 3)} is not understood`);
    const own = changed(flags, kind?.[1] ?? '', kind?.[2] ?? '');
    const { source, isVariable } = this.alternatives(own, depth + 1);
    if (!reader.take(')')) throw new SyntaxError('a closing parenthesis is missing');
    if (kind && /^\?<?[=!]$/.test(kind[0])) return { source: `(${kind[0]}${source})`, isVariable: false };
    return kind?.[0] === '?>' ? this.atomic(source) : { source: `(?:${source})`, isVariable };
  }
}

/** `[^]` would be shorter, but V8 repeats it wrongly under the flag v. */
const anything = '[\\s\\S]';

const anchors: Readonly<Record<string, string>> = {
  A: `(?<!${anything})`,
  z: `(?!${anything})`,
  Z: `(?=\\n?(?!${anything}))`,
  b: `(?:(?<=[${wordClass}])(?![${wordClass}])|(?<![${wordClass}])(?=[${wordClass}]))`,
  B: `(?:(?<=[${wordClass}])(?=[${wordClass}])|(?<![${wordClass}])(?![${wordClass}]))`,
};

function single(character: string, { ignoresCase }: Flags): string {
  const variants = ignoresCase ? caseVariants(character) : [character];
  return variants.length === 1 ? literal(character) : `[${variants.map(literal).join('')}]`;
}

function changed({ ignoresCase, dotAll }: Flags, on: string, off: string): Flags {
  if (on.includes('x')) throw new SyntaxError('(?x) is not understood');
  return {
    ignoresCase: (ignoresCase || on.includes('i')) && !off.includes('i'),
    dotAll: (dotAll || on.includes('m')) && !off.includes('m'),
  };
}
