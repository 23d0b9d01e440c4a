/**
 * What a pickle says, as plain data. Lists and tuples are arrays, dicts of any class Maps. Nothing of it was run: a call that
 * the pickle asks for is an object that names the callable and holds its arguments.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | Set<PickleValue>
  | PickleGlobal
  | PickleObject;

export type PickleDict = Map<PickleValue, PickleValue>;

/** A class or function that the pickle names. */
export class PickleGlobal {
  /** @param name with its module: `torch.FloatStorage` */
  constructor(readonly name: string) {}
}

/** The type of what a pickle leaves to its reader to look up, such as torch's storages; the one argument is its id. */
export const persistentType = 'persistent id';

/** A call whose argument is a file of torch.save: how tensors pickle without torch.save. Its state is what the file holds. */
export const nestedFile = 'torch.storage._load_from_bytes';

/** An instance of a class, or a call's result, not made but described. */
export class PickleObject {
  /** What its class would restore itself from, mostly a dict of attributes. */
  state: PickleValue | undefined;
  /** Elements of a list of some class, and entries of a dict of one. */
  items: PickleValue[] | undefined;
  entries: PickleDict | undefined;

  constructor(
    readonly type: string,
    readonly args: readonly PickleValue[],
  ) {}
}

export function isDict(value: PickleValue | undefined): value is PickleDict {
  return value instanceof Map;
}

/** A dict's value, an object's attribute, or the entry of an object that is a dict; undefined where there is none. */
export function memberOf(value: PickleValue | undefined, name: string): PickleValue | undefined {
  if (value instanceof Map) return value.get(name);
  if (!(value instanceof PickleObject)) return undefined;
  return attributesOf(value)?.get(name) ?? value.entries?.get(name);
}

/** An object's attributes: its state is a dict of them, or such a dict and one of slots. */
export function attributesOf({ state }: PickleObject): PickleDict | undefined {
  const own = Array.isArray(state) ? state[0] : state;
  return isDict(own) ? own : undefined;
}

/** A number, where the value is one. */
export function numberOf(value: PickleValue | undefined): number | undefined {
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'number' ? value : undefined;
}
