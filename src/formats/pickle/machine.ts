import { WhenceError } from '../../protocol/errors';
import { callOf, globalOf, isHarmful, nameOf } from './calls';
import { letter, pushes } from './constants';
import type { Cursor, PicklePlace } from './cursor';
import { Stack } from './stack';
import { nestedFile, PickleGlobal, PickleObject, type PickleValue, persistentType } from './values';

/** Values and memo entries of one pickle together: a pickle of one-byte opcodes must not fill the memory. */
const mostValues = 2_000_000;

/** The stack machine that a pickle is a program of. */
export class Machine {
  /** Names that were called or instantiated and are described only. */
  readonly opaque = new Set<string>();
  /** Objects that their reader must look up: ids of storages, and files of torch within the pickle. */
  readonly lookups: PickleObject[] = [];
  private readonly stack: Stack;
  private readonly memo = new Map<number, PickleValue>();
  private values = 0;

  constructor(
    private readonly cursor: Cursor,
    private readonly at: PicklePlace,
  ) {
    this.stack = new Stack(cursor);
  }

  /** Runs up to STOP and gives the value that is left. */
  run(): PickleValue {
    for (;;) {
      this.charge(1);
      const opcode = this.cursor.uint8();
      if (opcode === letter('.')) return this.stack.pop();
      const push = pushes.get(opcode);
      if (push) this.stack.push(push(this.cursor));
      else this.step(opcode);
    }
  }

  private step(opcode: number): void {
    const { cursor } = this;
    switch (opcode) {
      case 0x80: // PROTO
        cursor.uint8();
        return;
      case 0x95: // FRAME
        cursor.uint64();
        return;
      case letter('('):
        this.stack.mark();
        return;
      case letter('0'):
        this.stack.pop();
        return;
      case letter('1'):
        this.stack.toMark();
        return;
      case letter('2'):
        this.stack.push(this.stack.top());
        return;
      case letter('p'):
        this.memo.set(Number(cursor.line()), this.stack.top());
        return;
      case letter('q'):
        this.memo.set(cursor.uint8(), this.stack.top());
        return;
      case letter('r'):
        this.memo.set(cursor.uint32(), this.stack.top());
        return;
      case 0x94: // MEMOIZE
        this.memo.set(this.memo.size, this.stack.top());
        return;
      case letter('g'):
        this.stack.push(this.recall(Number(cursor.line())));
        return;
      case letter('h'):
        this.stack.push(this.recall(cursor.uint8()));
        return;
      case letter('j'):
        this.stack.push(this.recall(cursor.uint32()));
        return;
      case letter('t'):
      case letter('l'):
        this.stack.push(this.stack.toMark());
        return;
      case letter('d'):
        this.stack.push(this.setItems(new Map(), this.stack.toMark()));
        return;
      case 0x85: // TUPLE1 to TUPLE3
      case 0x86:
      case 0x87:
        this.stack.push(this.stack.popSome(opcode - 0x84));
        return;
      case letter('a'):
        this.append(this.stack.popSome(1));
        return;
      case letter('e'):
      case 0x90: // ADDITEMS
        this.append(this.stack.toMark());
        return;
      case letter('s'):
        this.put(this.stack.popSome(2));
        return;
      case letter('u'):
        this.put(this.stack.toMark());
        return;
      case 0x91: // FROZENSET
        this.stack.push(new Set(this.stack.toMark()));
        return;
      case letter('R'):
      case 0x81: {
        // REDUCE, NEWOBJ
        const [callable, args] = this.stack.popSome(2);
        this.call(callable!, args!);
        return;
      }
      case 0x92: {
        // NEWOBJ_EX; the named arguments come last
        const [callable, args, named] = this.stack.popSome(3);
        this.call(callable!, Array.isArray(args) ? [...args, named!] : args!);
        return;
      }
      case letter('o'): {
        const [callable, ...args] = this.stack.toMark();
        this.call(callable ?? null, args);
        return;
      }
      case letter('i'):
        this.call(globalOf(cursor.line(), cursor.line()), this.stack.toMark());
        return;
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.stack.popSome(2);
        if (typeof module !== 'string' || typeof name !== 'string') {
          throw cursor.malformed('The pickle names a class by something that is no text.');
        }
        this.stack.push(globalOf(module, name));
        return;
      }
      case letter('b'):
        this.build();
        return;
      case letter('P'):
        this.lookUp(cursor.line());
        return;
      case letter('Q'):
        this.lookUp(this.stack.pop());
        return;
      default:
        cursor.position--;
        throw cursor.malformed(`0x${opcode.toString(16).padStart(2, '0')} is no opcode of a pickle that stands alone.`);
    }
  }

  /** Notes a call, or carries it out where it only makes a container; refuses, by name, what acts on the machine. */
  private call(callable: PickleValue, args: PickleValue): void {
    if (!(callable instanceof PickleGlobal || callable instanceof PickleObject) || !Array.isArray(args)) {
      throw this.cursor.malformed('The pickle calls something that is no class or function.');
    }
    const name = nameOf(callable);
    if (isHarmful(name)) {
      throw new WhenceError(
        'unsupported-format',
        `The file calls ${name} when Python loads it. Whence ran nothing; this is how harmful files are made.`,
        {
          file: this.at.path,
          place: `byte ${this.at.base + this.cursor.position}`,
          mend: 'Do not load it in Python either; get the weights as .safetensors from whom you trust.',
        },
      );
    }
    // A call may copy its argument, which the pickle can hand over again and again.
    this.charge(sizeOf(args[0]));
    const result = callOf(callable, args);
    if (result instanceof PickleObject) {
      if (name === nestedFile) this.lookups.push(result);
      else this.opaque.add(result.type);
    }
    this.stack.push(result);
  }

  private lookUp(id: PickleValue): void {
    const object = new PickleObject(persistentType, [id]);
    this.lookups.push(object);
    this.stack.push(object);
  }

  private charge(values: number): void {
    this.values += values;
    if (this.values > mostValues) {
      throw this.cursor.malformed(`The pickle holds more than ${mostValues} values; no model's needs so many.`);
    }
  }

  private build(): void {
    const [target, state] = this.stack.popSome(2);
    if (target instanceof PickleObject) target.state = state;
    this.stack.push(target!);
  }

  private append(values: readonly PickleValue[]): void {
    const target = this.stack.top();
    if (Array.isArray(target)) for (const value of values) target.push(value);
    else if (target instanceof Set) for (const value of values) target.add(value);
    else if (target instanceof PickleObject) {
      target.items ??= [];
      for (const value of values) target.items.push(value);
    } else throw this.cursor.malformed('The pickle appends to what is no list.');
  }

  private put(items: readonly PickleValue[]): void {
    const target = this.stack.top();
    if (target instanceof Map) this.setItems(target, items);
    else if (target instanceof PickleObject) {
      target.entries ??= new Map();
      this.setItems(target.entries, items);
    } else throw this.cursor.malformed('The pickle sets keys of what is no dict.');
  }

  private setItems(target: Map<PickleValue, PickleValue>, items: readonly PickleValue[]): PickleValue {
    if (items.length % 2 !== 0) throw this.cursor.malformed("A dict's last key has no value.");
    for (let index = 0; index < items.length; index += 2) target.set(items[index]!, items[index + 1]!);
    return target;
  }

  private recall(index: number): PickleValue {
    const value = this.memo.get(index);
    if (value === undefined) throw this.cursor.malformed(`The pickle recalls ${index}, which it never stored.`);
    return value;
  }
}

/** What a copy would take, in values: a text's characters are small ones. */
function sizeOf(value: PickleValue | undefined): number {
  if (typeof value === 'string') return value.length / 32;
  if (Array.isArray(value)) return value.length;
  return value instanceof Map || value instanceof Set ? value.size : 0;
}
