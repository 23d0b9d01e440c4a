import type { Problem } from '../protocol/model';
import type { RunNode } from './runNode';
import { count } from './runParts';
import type { Translate } from './translate';

export function problemGroup(config: string, problems: readonly Problem[], t: Translate): RunNode {
  const worst = worstOf(problems) ?? 'info';
  return {
    id: `${config}/problems`,
    label: t('Problems'),
    description: count(problems.length),
    icon: worst,
    severity: worst,
    context: 'group',
    expanded: true,
    config,
    children: problems.map((problem, index) => problemNode(problem, `${config}/problem/${index}`, t)),
  };
}

export function problemNode({ severity, message, file, mend }: Problem, id: string, t: Translate): RunNode {
  return {
    id,
    label: message,
    ...(mend ? { description: mend } : {}),
    tooltip: [message, mend && t('To mend it: {0}', mend), file].filter(Boolean).join('\n'),
    icon: severity,
    severity,
    context: 'problem',
    ...(file ? { file } : {}),
  };
}

export function worstOf(problems: readonly Problem[]): Problem['severity'] | undefined {
  return (['error', 'warning', 'info'] as const).find((severity) => problems.some((one) => one.severity === severity));
}
