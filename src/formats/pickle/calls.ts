import { PickleGlobal, PickleObject, type PickleValue, persistentType } from './values';

/** Modules whose functions act on the machine. No model's state needs them. */
const harmfulModules =
  /^(os|subprocess|sys|importlib|runpy|shutil|socket|pty|commands|ctypes|webbrowser|code|pdb|bdb|timeit|pip|asyncio|http|urllib|requests|_posixsubprocess|_thread|cProfile|profile|pydoc|imp|ensurepip|venv|marshal|tempfile|glob)\./;
const harmfulBuiltins =
  /^builtins\.(eval|exec|compile|open|input|breakpoint|__import__|globals|locals|vars|setattr|delattr|exit|quit|memoryview|apply|execfile|file)$/;

/** Python 2's names of modules, and those under which functions of os pickle. */
const renamed: Readonly<Record<string, string>> = {
  __builtin__: 'builtins',
  copy_reg: 'copyreg',
  posix: 'os',
  nt: 'os',
};

export function globalOf(module: string, name: string): PickleGlobal {
  return new PickleGlobal(`${Object.hasOwn(renamed, module) ? renamed[module] : module}.${name}`);
}

/** Whether a pickle that calls this means harm: a class of such a module (`os._Environ`) is no function. */
export function isHarmful(name: string): boolean {
  if (harmfulBuiltins.test(name)) return true;
  const isClass = /^os\._[A-Z]|^tempfile\._?[A-Z]/.test(name);
  return harmfulModules.test(name) && !isClass;
}

type Make = (args: readonly PickleValue[]) => PickleValue | undefined;

const dictOf: Make = ([content]) => {
  if (content instanceof Map) return new Map(content);
  const pairs = Array.isArray(content) ? content.filter((pair) => Array.isArray(pair)) : [];
  return new Map(pairs.map((pair) => [pair[0] ?? null, pair[1] ?? null]));
};

const listOf: Make = ([content]) => (Array.isArray(content) || content instanceof Set ? [...content] : []);

const setOf: Make = ([content]) => new Set(Array.isArray(content) || content instanceof Set ? content : []);

/** The calls that are carried out here, each as plain data; all others stay described. */
const makers: Readonly<Record<string, Make>> = {
  'collections.OrderedDict': dictOf,
  'collections.defaultdict': () => new Map(),
  'collections.Counter': dictOf,
  'builtins.dict': dictOf,
  'builtins.list': listOf,
  'builtins.tuple': listOf,
  'builtins.set': setOf,
  'builtins.frozenset': setOf,
  'torch.Size': listOf,
  'builtins.bytearray': ([content]) => (content instanceof Uint8Array ? content : new Uint8Array(0)),
  '_codecs.encode': ([text, encoding]) =>
    typeof text === 'string' && (encoding === 'latin1' || encoding === 'latin-1')
      ? Uint8Array.from(text, (character) => character.charCodeAt(0))
      : undefined,
};

/** What a call gives, by its name alone; an object that describes it where the name is not on the list. */
export function callOf(callable: PickleValue, args: readonly PickleValue[]): PickleValue {
  const name = nameOf(callable);
  const made = Object.hasOwn(makers, name) ? makers[name]!(args) : undefined;
  if (made !== undefined) return made;
  // copyreg's way of protocol 2 and older to say "an instance of this class".
  const [type] = args;
  if (name === 'copyreg._reconstructor' && type instanceof PickleGlobal) return callOf(type, []);
  return new PickleObject(name, args);
}

export function nameOf(callable: PickleValue): string {
  if (callable instanceof PickleGlobal) return callable.name;
  if (!(callable instanceof PickleObject)) return 'nothing that can be called';
  // Torch's older stream wraps a module's class in an id: ('module', class, file, source).
  const [id] = callable.type === persistentType ? callable.args : [];
  const wrapped = Array.isArray(id) && id[0] === 'module' ? id[1] : undefined;
  return wrapped instanceof PickleGlobal ? wrapped.name : `result of ${callable.type}`;
}
