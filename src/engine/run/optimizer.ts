import type { OptimizerKind, OptimizerState, ParameterGroup } from '../../formats/trainingState';
import type { Problem } from '../../protocol/model';
import type { OptimizerConfig } from '../config/config';
import type { ResolvedGroup, ResolvedOptimizer } from './trajectory';

const optimizerNames = { sgd: 'SGD', adam: 'Adam', adamw: 'AdamW' } as const satisfies Record<OptimizerKind, string>;

/** What PyTorch takes where nothing is given; AdamW's decay is 0.01 there, but its states always say it. */
const defaults = { momentum: 0, nesterov: false, weightDecay: 0, betas: [0.9, 0.999], epsilon: 1e-8 } as const;

type Setting = keyof typeof defaults | 'batchSize';

const settingNames: Readonly<Record<Setting, string>> = {
  momentum: 'momentum',
  nesterov: 'Nesterov momentum',
  weightDecay: 'weight decay',
  betas: 'betas',
  epsilon: 'epsilon',
  batchSize: 'batch size',
};

/**
 * The optimizer that `whence.json` and the last checkpoint's state tell together. Where both speak, `whence.json` wins and
 * a difference is a problem; a state of another optimizer than `whence.json` names tells nothing.
 * @param batchSize what training left of it
 */
export function resolveOptimizer(
  config: OptimizerConfig,
  state: OptimizerState | undefined,
  batchSize: number | undefined,
  file: string,
): { readonly optimizer: ResolvedOptimizer; readonly problems: readonly Problem[] } {
  const { kind } = config;
  const problems: Problem[] = [];
  const isOther = state?.kind !== undefined && (state.kind === 'sgd') !== (kind === 'sgd');
  const groups = isOther ? [] : (state?.groups ?? []);
  const saved: Partial<Record<Setting, unknown>> = { ...groups[0], ...(batchSize === undefined ? {} : { batchSize }) };
  const differences: string[] = [];
  if (state?.kind !== undefined && state.kind !== kind) {
    differences.push(`${optimizerNames[kind]}, not ${optimizerNames[state.kind]}`);
  }
  const given: Partial<Record<Setting, unknown>> = { ...config };
  for (const setting of applying(kind)) {
    const [own, other] = [given[setting], saved[setting]];
    if (own === undefined || other === undefined || JSON.stringify(own) === JSON.stringify(other)) continue;
    differences.push(`${settingNames[setting]} ${words(own)}, not ${words(other)}`);
  }
  if (differences.length > 0) {
    const message = `whence.json says ${differences.join('; ')} as the checkpoints do: whence.json is followed.`;
    problems.push({ severity: 'warning', message, file, mend: 'Remove from "optimizer" what the checkpoints tell.' });
  }
  const [first = {}] = groups;
  const pick = <K extends keyof typeof defaults>(setting: K) => config[setting] ?? first[setting] ?? defaults[setting];
  const weightDecay = pick('weightDecay');
  const size = config.batchSize ?? batchSize;
  const resolvedGroups = config.groups
    ? config.groups.map((group) => ({
        parameters: group.parameters,
        learningRateScale: group.learningRateScale ?? 1,
        weightDecay: group.weightDecay ?? weightDecay,
      }))
    : savedGroups(groups, weightDecay, file, problems);
  const optimizer: ResolvedOptimizer = {
    kind,
    momentum: kind === 'sgd' ? pick('momentum') : 0,
    nesterov: kind === 'sgd' && pick('nesterov'),
    weightDecay,
    betas: pick('betas'),
    epsilon: pick('epsilon'),
    ...(size === undefined ? {} : { batchSize: size }),
    groups: resolvedGroups,
  };
  return { optimizer, problems };
}

/** Settings that mean something for an optimizer. */
function applying(kind: OptimizerKind): readonly Setting[] {
  return kind === 'sgd'
    ? ['momentum', 'nesterov', 'weightDecay', 'batchSize']
    : ['betas', 'epsilon', 'weightDecay', 'batchSize'];
}

/** Groups that differ from the first, whose settings are the run's own. */
function savedGroups(
  [first, ...others]: readonly ParameterGroup[],
  weightDecay: number,
  file: string,
  problems: Problem[],
): ResolvedGroup[] {
  if (!first) return [];
  const resolved = others.flatMap((group): (ResolvedGroup & { readonly isNamed: boolean })[] => {
    const learningRateScale = rateScale(group, first);
    const decay = group.weightDecay ?? weightDecay;
    if (learningRateScale === 1 && decay === weightDecay) return [];
    const { parameters } = group;
    return [{ parameters: parameters ?? [], learningRateScale, weightDecay: decay, isNamed: parameters !== undefined }];
  });
  const nameless = resolved.filter(({ isNamed }) => !isNamed).length;
  if (nameless > 0) {
    problems.push({
      severity: 'warning',
      message: `Which weights belong to ${nameless} of the optimizer's ${others.length + 1} parameter groups is not known; they are treated as the first group's.`,
      file,
      mend: 'Name them in whence.json: "groups": [{ "parameters": ["head.*"], "learningRateScale": 10 }] in "optimizer".',
    });
  }
  return resolved.filter(({ isNamed }) => isNamed).map(({ isNamed, ...group }) => group);
}

/** Rates before any schedule compare best: the scheduled ones may all have come to 0. */
function rateScale(group: ParameterGroup, first: ParameterGroup): number {
  const [own, base] =
    group.initialLearningRate !== undefined && first.initialLearningRate !== undefined
      ? [group.initialLearningRate, first.initialLearningRate]
      : [group.learningRate, first.learningRate];
  return own === undefined || !base ? 1 : own / base;
}

/** `AdamW, betas 0.9 and 0.98, weight decay 0.1, batch size 8, 2 parameter groups`; what is usual is not said. */
export function optimizerWords(optimizer: ResolvedOptimizer): string {
  const { kind, momentum, nesterov, weightDecay, betas, batchSize, groups } = optimizer;
  const isUsual = betas[0] === defaults.betas[0] && betas[1] === defaults.betas[1];
  return [
    optimizerNames[kind],
    momentum > 0 ? `${nesterov ? 'Nesterov momentum' : 'momentum'} ${momentum}` : '',
    kind === 'sgd' || isUsual ? '' : `betas ${words(betas)}`,
    weightDecay > 0 ? `weight decay ${weightDecay}` : '',
    batchSize === undefined ? '' : `batch size ${batchSize}`,
    groups.length > 0 ? `${groups.length + 1} parameter groups` : '',
  ]
    .filter(Boolean)
    .join(', ');
}

function words(value: unknown): string {
  return Array.isArray(value) ? value.join(' and ') : String(value);
}
