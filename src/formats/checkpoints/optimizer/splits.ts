import type { Candidate } from './assign';

/** The group that a parameter belongs to, by its number. */
export type Split = (candidate: Candidate) => number;

/** Names that transformers' Trainer leaves out of weight decay; it leaves out the class LayerNorm too, whatever its name. */
const trainerExempt = /bias|layernorm|rmsnorm|(?:^|\.)norm(?:$|\.)|_norm(?:$|\.)/i;
const normalisation =
  /(^|[._])(ln|bn|gn|norm|layer_?norm|batch_?norm|group_?norm|rms_?norm)[_\d]*[a-z]*\.(weight|bias|gamma|beta|scale)$/i;

/** Whom people keep weight decay away from; several of these agree on most models. */
const exemptions: readonly ((candidate: Candidate) => boolean)[] = [
  ({ dims }) => dims.length < 2,
  ({ name }) => /(^|\.)bias$/.test(name),
  ({ name }) => trainerExempt.test(name),
  ({ name, dims }) => trainerExempt.test(name) || (dims.length < 2 && normalisation.test(name)),
  ({ name, dims }) => trainerExempt.test(name) || dims.length < 2,
];

/** Modules are put in every order up to here. */
const mostModules = 5;

/** The ways in which parameters are commonly split over so many groups, besides one after the other. */
export function splits(groups: number, candidates: readonly Candidate[]): readonly Split[] {
  if (groups < 2) return [];
  const moduleOf = topModules(candidates);
  const modules = [...new Set(candidates.map(moduleOf))];
  const byModule =
    modules.length === groups && groups <= mostModules
      ? permutations(modules).map(
          (order): Split =>
            (candidate) =>
              order.indexOf(moduleOf(candidate)),
        )
      : [];
  if (groups > 2) return byModule;
  const choices = [...exemptions, ...modules.map((one) => (candidate: Candidate) => moduleOf(candidate) === one)];
  return [...byModule, ...choices.flatMap((is): Split[] => [(one) => (is(one) ? 1 : 0), (one) => (is(one) ? 0 : 1)])];
}

/** The first part of a name in which names differ: `head` of `model.head.weight`. */
function topModules(candidates: readonly Candidate[]): (candidate: Candidate) => string {
  const parts = candidates.map(({ name }) => name.split('.'));
  let level = 0;
  while (parts.every((part) => part.length > level + 1 && part[level] === parts[0]![level])) level++;
  return ({ name }) => name.split('.')[level] ?? name;
}

function permutations(items: readonly string[]): readonly (readonly string[])[] {
  if (items.length < 2) return [items];
  return items.flatMap((item) => permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]));
}
