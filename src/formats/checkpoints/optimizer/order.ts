import type { Candidate, GroupShapes } from './assign';
import { precedes } from './conventions';
import { type Split, splits } from './splits';

/** A module with its own parameters and the modules within it. */
interface Module {
  readonly name: string;
  /** Its path with `#` for numbers: modules of one list are alike inside. */
  readonly kind: string;
  readonly parts: Map<string, Module>;
  /** Set for a parameter, which has no parts. */
  readonly candidate?: Candidate;
}

/** Parts are tried at so many places at most; what takes longer counts as unknown. */
const mostSteps = 200_000;

/**
 * What each number of an optimizer's parameters stands for where the order of the model is lost, because the file sorts its
 * tensors by name: looks for an order of the modules, and of the parts within each, that gives the optimizer's shapes. A
 * module's parameters stand together, its own before those of its parts; modules of one list are alike. What shapes do not
 * tell is taken from how libraries define modules; where that leaves a choice, nothing is told.
 * @returns names group by group; undefined where no order fits, or several differ
 */
export function findOrder(
  groups: readonly GroupShapes[],
  candidates: readonly Candidate[],
): readonly (readonly string[])[] | undefined {
  if (groups.some((shapes) => shapes.includes(undefined))) return undefined;
  const found = new Map<string, readonly (readonly string[])[]>();
  const one: Split = () => 0;
  for (const split of groups.length === 1 ? [one] : splits(groups.length, candidates)) {
    const counts = groups.map((_, index) => candidates.filter((candidate) => split(candidate) === index).length);
    if (counts.some((count, index) => count !== groups[index]!.length)) continue;
    const search = new Search(groups, split);
    search.run(treeOf(candidates));
    if (search.isExhausted) return undefined;
    for (const [key, names] of search.found) found.set(key, names);
    if (found.size > 1) return undefined;
  }
  return [...found.values()][0];
}

function treeOf(candidates: readonly Candidate[]): Module {
  const root: Module = { name: '', kind: '', parts: new Map() };
  for (const candidate of candidates) {
    let module = root;
    const path = candidate.name.split('.');
    for (const [index, name] of path.entries()) {
      const kind = `${module.kind}.${/^\d+$/.test(name) ? '#' : name}`;
      const isLast = index === path.length - 1;
      const part = module.parts.get(name) ?? { name, kind, parts: new Map(), ...(isLast ? { candidate } : {}) };
      module.parts.set(name, part);
      module = part;
    }
  }
  return root;
}

/** Goes through the tree in every order that shapes and conventions allow, until two results differ. */
class Search {
  readonly found = new Map<string, readonly (readonly string[])[]>();
  private readonly names: readonly string[][];
  /** The order of the parts of each kind of module, once one of the kind is begun. */
  private readonly decided = new Map<string, readonly string[]>();
  private steps = 0;

  constructor(
    private readonly groups: readonly GroupShapes[],
    private readonly split: Split,
  ) {
    this.names = groups.map(() => []);
  }

  get isExhausted(): boolean {
    return this.steps > mostSteps;
  }

  run(root: Module): void {
    this.arrange(root, [...root.parts.values()], [], () => this.found.set(JSON.stringify(this.names), this.copy()));
  }

  private visit(module: Module, then: () => void): void {
    if (++this.steps > mostSteps || this.found.size > 1) return;
    const { candidate } = module;
    if (!candidate) {
      this.arrange(module, [...module.parts.values()], [], then);
      return;
    }
    const group = this.split(candidate);
    const names = this.names[group]!;
    if (this.groups[group]![names.length]?.join() !== candidate.dims.join()) return;
    names.push(candidate.name);
    then();
    names.pop();
  }

  private arrange(module: Module, left: readonly Module[], done: readonly string[], then: () => void): void {
    if (left.length === 0) {
      const isFirst = !this.decided.has(module.kind);
      if (isFirst) this.decided.set(module.kind, done);
      then();
      if (isFirst) this.decided.delete(module.kind);
      return;
    }
    for (const part of this.eligible(module, left, done)) {
      const rest = left.filter((one) => one !== part);
      this.visit(part, () => this.arrange(module, rest, [...done, part.name], then));
    }
  }

  private eligible(module: Module, left: readonly Module[], done: readonly string[]): readonly Module[] {
    const decided = this.decided.get(module.kind);
    if (decided && decided.length === left.length + done.length) {
      return left.filter(({ name }) => name === decided[done.length]);
    }
    const own = left.filter(({ candidate }) => candidate);
    const open = own.length > 0 ? own : left;
    return open.filter(({ name }) => !open.some((other) => other.name !== name && precedes(other.name, name)));
  }

  private copy(): readonly (readonly string[])[] {
    return this.names.map((names) => [...names]);
  }
}
