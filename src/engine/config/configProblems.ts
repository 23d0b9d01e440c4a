import { findNodeAtLocation, type JSONPath, type Node, type ParseError, printParseErrorCode } from 'jsonc-parser';
import type { Problem } from '../../protocol/model';
import { configKeyAt, keysUnder } from './configKeys';

/** What zod says of one place; the parts that are read here. */
interface Issue {
  readonly code: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

const syntaxWords: Readonly<Record<string, string>> = {
  InvalidSymbol: 'This is no value: texts stand in double quotes.',
  InvalidNumberFormat: 'This is not a number.',
  PropertyNameExpected: 'A key in double quotes should stand here.',
  ValueExpected: 'A value should stand here.',
  ColonExpected: 'A colon should stand here.',
  CommaExpected: 'A comma should stand before this.',
  CloseBraceExpected: 'A closing } is missing.',
  CloseBracketExpected: 'A closing ] is missing.',
  EndOfFileExpected: 'Nothing should follow the closing }.',
  InvalidCommentToken: 'This is no comment: use // or /* */.',
  UnexpectedEndOfComment: 'The comment never ends.',
  UnexpectedEndOfString: 'The closing quote is missing.',
  UnexpectedEndOfNumber: 'The number is not complete.',
  InvalidUnicode: 'The \\u escape is not complete.',
  InvalidEscapeCharacter: 'This is no escape: write \\\\ for a backslash, or / in paths.',
  InvalidCharacter: 'This character must be escaped.',
};

export function syntaxProblem(error: ParseError, text: string, file: string): Problem {
  // What is missing at the end is marked on the last character.
  const offset = Math.min(error.offset, Math.max(0, text.length - 1));
  return {
    severity: 'error',
    message: syntaxWords[printParseErrorCode(error.error)] ?? 'This is not valid JSON.',
    file,
    mend: 'Correct the JSON here; comments and trailing commas are fine.',
    range: { offset, length: Math.max(1, Math.min(error.length, text.length - offset)) },
  };
}

/** A schema issue as problems of the text: one, or one for each unknown key. */
export function issueProblems(issue: Issue, root: Node, file: string): readonly Problem[] {
  const path = issue.path as JSONPath;
  if (issue.code === 'unrecognized_keys') {
    return (issue.keys ?? []).map((key) => unknownKey(key, path, root, file));
  }
  const name = path.length > 0 ? `"${path.join('.')}"` : 'The file';
  const key = configKeyAt(path);
  const example = key && JSON.stringify(key.example);
  const node = findNodeAtLocation(root, path);
  if (!node) {
    const parent = findNodeAtLocation(root, path.slice(0, -1)) ?? root;
    return [
      {
        severity: 'error',
        message: `${name} is missing${key ? `: ${lowerFirst(key.description)}` : '.'}`,
        file,
        mend: `Add "${path.at(-1)}": ${example}.`,
        range: { offset: parent.offset, length: 1 },
      },
    ];
  }
  return [
    {
      severity: 'error',
      message: `${name} ${issue.message}.`,
      file,
      mend: key ? `For example ${example}.` : 'Write an object: { "model": "model.onnx", ... }.',
      range: rangeOf(node),
    },
  ];
}

function unknownKey(key: string, path: JSONPath, root: Node, file: string): Problem {
  const known = keysUnder(path);
  const close = known
    .map((name) => ({ name, distance: editDistance(key.toLowerCase().replaceAll('_', ''), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  const similar = close && close.distance <= Math.max(1, Math.floor(close.name.length / 3)) ? close.name : undefined;
  return {
    severity: 'warning',
    message: `"${key}" means nothing here.${similar ? ` Did you mean "${similar}"?` : ''}`,
    file,
    mend: similar ? `Write "${similar}".` : `Remove it. Known here: ${known.join(', ')}.`,
    range: keyRange(root, [...path, key]),
  };
}

/** Of two equal keys the parser takes the last in silence. */
export function duplicateProblems(root: Node, file: string): readonly Problem[] {
  const found: Problem[] = [];
  const seen = new Set<string>();
  for (const property of root.type === 'object' ? (root.children ?? []) : []) {
    const [key, value] = property.children ?? [];
    if (key && seen.has(key.value)) {
      const message = `"${key.value}" stands here twice.`;
      found.push({ severity: 'error', message, file, mend: 'Remove one of them.', range: rangeOf(key) });
    }
    if (key) seen.add(key.value);
    if (value) found.push(...duplicateProblems(value, file));
  }
  return found;
}

/** What the shape of the file cannot say: things that must be there together, or not together. */
export function meaningProblems(root: Node, file: string): readonly Problem[] {
  const found: Problem[] = [];
  const at = (...path: JSONPath) => findNodeAtLocation(root, path);
  const add = (severity: Problem['severity'], path: JSONPath, message: string, mend: string) => {
    found.push({ severity, message, file, mend, range: keyRange(root, path) });
  };
  const data = at('data');
  if (data?.type === 'object') {
    const splits = (data.children ?? []).map((property) => property.children?.[0]?.value);
    const trained = (at('stages')?.children ?? []).map((_, index) => at('stages', index, 'train')?.value ?? 'train');
    const unknown = trained.findIndex((name) => !splits.includes(name));
    if (unknown >= 0) {
      const path: JSONPath = at('stages', unknown, 'train') ? ['stages', unknown, 'train'] : ['stages', unknown];
      add('error', path, `"data" has no split "${trained[unknown]}".`, `Add "${trained[unknown]}" to "data".`);
    } else if (trained.length === 0 && !splits.includes('train')) {
      add('error', ['data'], '"data" has no split "train": influence is that of training examples.', 'Add "train".');
    } else if (splits.length < 2) {
      add(
        'warning',
        ['data'],
        '"data" has only "train": there is nothing to ask about.',
        'Add a split, such as "test".',
      );
    }
  }
  if (at('preprocess', 'standardize')?.value === true) {
    for (const key of ['scale', 'mean', 'std']) {
      if (!at('preprocess', key)) continue;
      add('error', ['preprocess', key], `"standardize" and "${key}" exclude each other.`, 'Remove one of them.');
    }
  }
  const classes = (at('classes')?.children ?? []).map((node) => node.value);
  const twice = classes.findIndex((name, index) => classes.indexOf(name) < index);
  if (twice >= 0)
    add('error', ['classes', twice], `The class "${classes[twice]}" stands here twice.`, 'Remove one of them.');
  return found;
}

/** The range of a property's key, or of a list's element. */
export function keyRange(root: Node, path: JSONPath): NonNullable<Problem['range']> {
  const node = findNodeAtLocation(root, path);
  if (!node) return rangeOf(root);
  const key = node.parent?.type === 'property' ? node.parent.children?.[0] : undefined;
  return rangeOf(key ?? node);
}

export function rangeOf(node: Node): NonNullable<Problem['range']> {
  return { offset: node.offset, length: node.length };
}

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

/** Optimal string alignment: Levenshtein's distance in which two swapped neighbours count once. */
export function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swap = swapped ? rows[i - 2]![j - 2]! + 1 : change;
      row.push(Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, change, swap));
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
