import { globalOf } from './calls';
import type { Cursor } from './cursor';
import type { PickleValue } from './values';

/** An opcode by its character. */
export const letter = (character: string): number => character.charCodeAt(0);

/** Opcodes that put a constant or what follows them on the stack. */
export const pushes: ReadonlyMap<number, (cursor: Cursor) => PickleValue> = new Map<
  number,
  (cursor: Cursor) => PickleValue
>([
  [letter('N'), () => null],
  [0x88, () => true],
  [0x89, () => false],
  [letter('J'), (cursor) => cursor.int32()],
  [letter('K'), (cursor) => cursor.uint8()],
  [letter('M'), (cursor) => cursor.uint16()],
  [0x8a, (cursor) => cursor.integer(cursor.uint8())],
  [0x8b, (cursor) => cursor.integer(cursor.int32())],
  [letter('G'), (cursor) => cursor.float64()],
  [letter('I'), integerLine],
  [letter('L'), integerLine],
  [letter('F'), (cursor) => Number(cursor.line())],
  [letter('S'), (cursor) => cursor.line().slice(1, -1)],
  [letter('V'), (cursor) => cursor.line()],
  [letter('T'), (cursor) => cursor.latin1(cursor.int32())],
  [letter('U'), (cursor) => cursor.latin1(cursor.uint8())],
  [letter('X'), (cursor) => cursor.text(cursor.uint32())],
  [0x8c, (cursor) => cursor.text(cursor.uint8())],
  [0x8d, (cursor) => cursor.text(cursor.uint64())],
  [letter('B'), (cursor) => cursor.take(cursor.uint32())],
  [letter('C'), (cursor) => cursor.take(cursor.uint8())],
  [0x8e, (cursor) => cursor.take(cursor.uint64())],
  [0x96, (cursor) => cursor.take(cursor.uint64())],
  [letter(']'), () => []],
  [letter(')'), () => []],
  [letter('}'), () => new Map()],
  [0x8f, () => new Set()],
  [letter('c'), (cursor) => globalOf(cursor.line(), cursor.line())],
]);

function integerLine(cursor: Cursor): PickleValue {
  const text = cursor.line();
  // Protocol 0 writes True and False as integers of two digits.
  if (text === '01' || text === '00') return text === '01';
  const digits = text.replace(/L$/, '');
  if (!/^-?\d{1,1000}$/.test(digits)) throw cursor.malformed(`The pickle holds "${text.slice(0, 20)}" as an integer.`);
  return Number.isSafeInteger(Number(digits)) ? Number(digits) : BigInt(digits);
}
