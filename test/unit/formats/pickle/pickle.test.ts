import { describe, expect, test } from 'vitest';
import { readPickle } from '../../../../src/formats/pickle/pickle';
import { PickleGlobal, PickleObject } from '../../../../src/formats/pickle/values';
import { WhenceError } from '../../../../src/protocol/errors';

/** Bytes from characters, numbers and pieces. */
type Parts = readonly (string | number | readonly number[])[];

function bytes(...parts: Parts): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) =>
      typeof part === 'string' ? [...part].map((one) => one.charCodeAt(0)) : typeof part === 'number' ? [part] : part,
    ),
  );
}

const read = (...parts: Parts) => readPickle(bytes(...parts), 0, { path: '/run/a.pkl', base: 100 });

function failure(...parts: Parts): WhenceError {
  try {
    read(...parts);
  } catch (error) {
    if (error instanceof WhenceError) return error;
    throw error;
  }
  throw new Error('nothing failed');
}

const repeat = (count: number, ...codes: readonly number[]) => Array.from({ length: count }, () => codes).flat();
const huge = [0, 0, 0, 0, 0, 0, 0, 16];

describe('readPickle', () => {
  // Each is what Python's pickle.dumps gives, by protocol.
  test.each([
    ['protocol 0', ['(lp0\nI1\naI01\naL5L\naF0.5\naVa\np1\na.'], [1, true, 5, 0.5, 'a']],
    ['a dict of protocol 2', [0x80, 2, '}q', 0, 'U', 1, 'aK', 1, 's.'], new Map([['a', 1]])],
    ['small and long integers', [0x80, 2, 0x8a, 1, 0xff, '.'], -1],
    ['an integer of nothing', [0x80, 2, 0x8a, 0, '.'], 0],
    ['integers beyond doubles', [0x80, 2, 0x8a, 9, 1, 0, 0, 0, 0, 0, 0, 0, 1, '.'], 2n ** 64n + 1n],
    ['a set of protocol 4', [0x80, 4, 0x8f, '(K', 1, 'K', 2, 0x90, '.'], new Set([1, 2])],
    ['a frozen set', [0x80, 4, '(K', 1, 0x91, '.'], new Set([1])],
    ['bytes of protocol 3', [0x80, 3, 'C', 2, 1, 2, '.'], Uint8Array.of(1, 2)],
    ['a tuple recalled', [0x80, 2, ']q', 0, 'h', 0, 0x86, '.'], [[], []]],
    ['an ordered dict', [0x80, 2, 'ccollections\nOrderedDict\n)R(U', 1, 'aNu.'], new Map([['a', null]])],
    [
      'a default dict',
      [0x80, 2, 'ccollections\ndefaultdict\nc__builtin__\nlist\n', 0x85, 'RK', 1, 'K', 2, 's.'],
      new Map([[1, 2]]),
    ],
    [
      'bytes of protocol 2',
      [0x80, 2, 'c_codecs\nencode\nX', [2, 0, 0, 0], [0xc3, 0xbf], 'U', 6, 'latin1', 0x86, 'R.'],
      Uint8Array.of(255),
    ],
  ])('reads %s', (_, parts, expected) => {
    expect(read(...(parts as Parts)).value).toEqual(expected);
  });

  test('describes what it does not know, with its state', () => {
    const { value, opaque } = read(0x80, 2, 'cmodels\nNet\n)', 0x81, '}U', 1, 'aK', 7, 'sb.');
    expect(value).toBeInstanceOf(PickleObject);
    expect(value).toMatchObject({ type: 'models.Net', args: [], state: new Map([['a', 7]]) });
    expect(opaque).toEqual(['models.Net']);
    expect(read('ctorch\nfloat32\n.').value).toEqual(new PickleGlobal('torch.float32'));
  });

  test.each([
    ['posix\nsystem', 'os.system'],
    ['nt\nsystem', 'os.system'],
    ['subprocess\nPopen', 'subprocess.Popen'],
    ['__builtin__\neval', 'builtins.eval'],
    ['builtins\nexec', 'builtins.exec'],
    ['builtins\n__import__', 'builtins.__import__'],
    ['runpy\n_run_code', 'runpy._run_code'],
  ])('names a call of %s and runs nothing', (name, shown) => {
    for (const call of [
      [`c${name}\n(U`, 2, 'ls', 'tR.'],
      [`(U`, 2, 'ls', `i${name}\n.`],
      [`c${name}\n)`, 0x81, '.'],
    ]) {
      const error = failure(...(call as Parts));
      expect(error).toMatchObject({ code: 'unsupported-format', details: { file: '/run/a.pkl' } });
      expect(error.message).toContain(`calls ${shown}`);
      expect(error.details.mend).toBeTruthy();
    }
  });

  test.each([
    ['text of 2^60 bytes', [0x8d, huge], 'truncated-file', 'byte 109'],
    ['bytes of 2^60', [0x8e, huge], 'truncated-file', 'byte 109'],
    ['text of 4 GB', ['X', [255, 255, 255, 255]], 'truncated-file', 'byte 105'],
    ['an integer of 2 GB', [0x8b, [255, 255, 255, 127]], 'malformed-file', 'byte 105'],
    ['an integer of negative length', [0x8b, [0, 0, 0, 128]], 'malformed-file', 'byte 105'],
    ['bytes of negative length', ['T', [0, 0, 0, 128]], 'malformed-file', 'byte 105'],
    ['an end without a value', ['.'], 'malformed-file', 'byte 101'],
    ['no end', ['N'], 'truncated-file', 'byte 101'],
    ['a mark that was never set', ['t.'], 'malformed-file', 'byte 101'],
    ['what was never stored', ['h', 5, '.'], 'malformed-file', 'byte 102'],
    ['an opcode that is none', [0xff], 'malformed-file', 'byte 100'],
    ['an extension code', [0x82, 1, '.'], 'malformed-file', 'byte 100'],
    ['a call of a number', ['K', 1, ')R.'], 'malformed-file', 'byte 104'],
    ['keys of a number', ['K', 1, 'NNs.'], 'malformed-file', 'byte 105'],
    ['a key without a value', ['}(Nu.'], 'malformed-file', 'byte 104'],
    ['an append to a number', ['K', 1, 'Na.'], 'malformed-file', 'byte 104'],
    ['an integer that is none', ['Ifive\n.'], 'malformed-file', 'byte 106'],
    ['millions of lists', [repeat(3_000_000, 0x5d), '.'], 'malformed-file', 'byte 2000100'],
    ['millions of memo entries', ['N', repeat(3_000_000, 0x94), '.'], 'malformed-file', 'byte 2000100'],
    ['millions of marks', [repeat(3_000_000, 0x28)], 'malformed-file', 'byte 2000100'],
  ])('refuses %s', (_, parts, code, place) => {
    const error = failure(...(parts as Parts));
    expect(error).toMatchObject({ code, details: { file: '/run/a.pkl', place } });
    expect(error.details.mend).toBeTruthy();
  });

  test('refuses copies of copies', () => {
    // A list of 1000, and a set of it, a set of that, ... each a memoised call of three bytes.
    const list = [']', '(', repeat(1000, 0x4e), 'eq', 0] as const;
    const copy = bytes('c__builtin__\nset\nh', 0, 0x85, 'R');
    expect(failure(...list, ...Array.from({ length: 5000 }, () => [...copy]), '.').message).toContain('more than');
  });

  test('takes a million nested lists without recursion', () => {
    const depth = 600_000;
    const { value } = read(repeat(depth, 0x5d), repeat(depth - 1, 0x61), '.');
    let inner = value;
    let seen = 1;
    while (Array.isArray(inner) && inner[0] !== undefined) {
      inner = inner[0];
      seen++;
    }
    expect(seen).toBe(depth);
  });
});
