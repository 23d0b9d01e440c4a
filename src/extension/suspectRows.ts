import type { Label, ReviewDecision, Suspect } from '../protocol/model';
import type { Translate } from './translate';

/** One row of the Suspect Labels tree as plain data. */
export interface SuspectRow {
  readonly id: string;
  readonly suspect: Suspect;
  readonly label: string;
  readonly description: string;
  readonly tooltip: string;
  /** What a screen reader says: the label without its arrow. */
  readonly spoken: string;
  /** A codicon's name: each decision has its own shape. */
  readonly icon: string;
  readonly context: 'suspect.open' | 'suspect.relabel' | 'suspect.exclude' | 'suspect.keep';
}

const icons = { relabel: 'tag', exclude: 'circle-slash', keep: 'check' } as const;

/** Rows with the decisions as they stand now, which may be newer than those the ranking came with. */
export function suspectRows(
  suspects: readonly Suspect[],
  decisions: readonly ReviewDecision[],
  classes: readonly string[],
  t: Translate,
): readonly SuspectRow[] {
  const byExample = new Map(decisions.map((decision) => [keyOf(decision), decision]));
  return suspects.map((suspect, rank) => suspectRow(suspect, byExample.get(keyOf(suspect)), rank + 1, classes, t));
}

function suspectRow(
  suspect: Suspect,
  decision: ReviewDecision | undefined,
  rank: number,
  classes: readonly string[],
  t: Translate,
): SuspectRow {
  const { example, suggested, suspicion, meanLoss, selfInfluence } = suspect;
  const given = className(example.label, classes);
  const percent = (suspicion * 100).toFixed(1);
  const decided = decision && decisionWords(decision, classes, t);
  return {
    id: keyOf(suspect),
    suspect,
    label: `#${example.id.index} ${given} → ${className(suggested, classes)}?`,
    // The tooltip says what it is: a narrow side bar has room for the figure alone.
    description: [decided, `${percent} %`].filter(Boolean).join(' · '),
    tooltip: [
      t('Rank {0}: labelled {1}, the model leans to {2}.', rank, given, className(suggested, classes)),
      t('Mean loss over the checkpoints: {0} nats', meanLoss.toFixed(3)),
      t('Self-influence (SOURCE): {0}', selfInfluence.toPrecision(3)),
      t('Suspicion {0} %: the mean of its ranks by both.', percent),
      decided ? t('Decision: {0}', decided) : t('R relabel · X exclude · K keep · U undo'),
    ].join('\n'),
    spoken: [
      t('Example {0}, labelled {1}, suggested {2}', example.id.index, given, className(suggested, classes)),
      decided ?? t('not decided'),
      t('suspicion {0} %', percent),
    ].join(', '),
    icon: decision ? icons[decision.action] : 'question',
    context: `suspect.${decision?.action ?? 'open'}`,
  };
}

function decisionWords({ action, newLabel }: ReviewDecision, classes: readonly string[], t: Translate): string {
  switch (action) {
    case 'relabel':
      return newLabel === undefined ? t('relabelled') : t('relabelled {0}', className(newLabel, classes));
    case 'exclude':
      return t('excluded');
    case 'keep':
      return t('kept');
  }
}

export function className(label: Label, classes: readonly string[]): string {
  return classes[label] ?? String(label);
}

function keyOf({ example }: Suspect | ReviewDecision): string {
  const id = 'id' in example ? example.id : example;
  return `${id.split}:${id.index}`;
}
