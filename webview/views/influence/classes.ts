import type { ClassInfluence, Label } from '../../../src/protocol/model';
import type { InfluenceResult } from '../../../src/protocol/viewApi';
import { type BarDomain, signedBar, zeroAndAll } from '../../charts/signedBar';
import { element, spoken } from '../../element';
import { count, percent, scoreFormat } from '../../numbers';
import { button } from '../../ui';
import { directions, labelName } from '../../vocabulary';

const shownAtFirst = 10;

/** "512 examples labelled Shirt give 61 % of the push towards Shirt", strongest label of each direction, as plain sentences. */
export function groupSentences(result: InfluenceResult): readonly string[] {
  const { towardsPhrase, awayPhrase } = directions(result);
  const sides = [
    { share: (entry: ClassInfluence) => Math.abs(entry.towards), phrase: towardsPhrase },
    { share: (entry: ClassInfluence) => Math.abs(entry.away), phrase: awayPhrase },
  ];
  return sides.flatMap(({ share, phrase }) => {
    const total = result.influence.byClass.reduce((sum, entry) => sum + share(entry), 0);
    const [first] = [...result.influence.byClass].sort((a, b) => share(b) - share(a));
    if (!first || !(total > 0)) return [];
    const noun = first.examples === 1 ? 'example' : 'examples';
    const name = labelName(first.label, result.classes);
    return [`${count(first.examples)} ${noun} labelled ${name} give ${percent(share(first) / total)} of ${phrase}.`];
  });
}

/** Every label's push both ways; pressing labels narrows the lists to them. Closed unless `open` or narrowed already. */
export function classFilter(
  result: InfluenceResult,
  open: boolean,
  narrow: (labels: readonly Label[]) => void,
): HTMLElement {
  const chosen = new Set(result.labels);
  const entries = withChosen(result);
  const domain = zeroAndAll(entries.flatMap(({ towards, away }) => [Math.abs(towards), -Math.abs(away)]));
  const write = scoreFormat(Math.max(...domain.map(Math.abs)));
  const items = entries.map((entry) => element('li', {}, classToggle(entry, result, domain, write, chosen, narrow)));
  const list = element('ul', { class: 'classes' }, ...items.slice(0, shownAtFirst));
  const details = element(
    'details',
    { class: 'by-class', open: open || chosen.size > 0 },
    element('summary', { 'data-key': 'by-class' }, 'By class', chosen.size > 0 && `: ${names(result)}`),
    list,
  );
  if (items.length > shownAtFirst) {
    const more = button(`Show all ${count(items.length)} classes`, () => showAll(list, items, more), 'secondary');
    details.append(more);
  }
  if (chosen.size > 0) {
    const clear = button('All classes', () => narrow([]), 'secondary');
    clear.dataset.key = 'all-classes';
    details.append(clear);
  }
  return details;
}

function showAll(list: HTMLElement, items: readonly HTMLElement[], more: HTMLElement): void {
  list.replaceChildren(...items);
  more.remove();
  items[shownAtFirst]?.querySelector('button')?.focus();
}

function classToggle(
  entry: ClassInfluence,
  { classes }: InfluenceResult,
  domain: BarDomain,
  write: (value: number) => string,
  chosen: ReadonlySet<Label>,
  narrow: (labels: readonly Label[]) => void,
): HTMLElement {
  const name = labelName(entry.label, classes);
  const towards = Math.abs(entry.towards);
  const away = -Math.abs(entry.away);
  const sums = `${write(towards)} towards, ${write(away)} away`;
  const pressed = chosen.has(entry.label);
  const toggle = element(
    'button',
    {
      type: 'button',
      class: 'class-toggle',
      'aria-pressed': String(pressed),
      'data-key': `class:${entry.label}`,
      title: `${name}: ${count(entry.examples)} examples, ${sums}`,
    },
    element('span', { class: 'check', 'aria-hidden': 'true' }, pressed ? '\u2713' : ''),
    element('span', { class: 'name' }, name),
    element('span', { class: 'bars' }, signedBar(away, domain), signedBar(towards, domain)),
    spoken(`${count(entry.examples)} examples, ${sums}`),
  );
  toggle.addEventListener('click', () => {
    const rest = [...chosen].filter((label) => label !== entry.label);
    narrow(pressed ? rest : [...rest, entry.label].sort((a, b) => a - b));
  });
  return toggle;
}

/** Chosen labels first, then by strength; a chosen label stays there to be unpressed even when nothing of it was scored. */
function withChosen({ influence: { byClass }, labels }: InfluenceResult): readonly ClassInfluence[] {
  const known = new Set(byClass.map(({ label }) => label));
  const missing = labels.filter((label) => !known.has(label));
  const strength = (entry: ClassInfluence) => Math.abs(entry.towards) + Math.abs(entry.away);
  return [...byClass, ...missing.map((label) => ({ label, examples: 0, towards: 0, away: 0 }))].sort(
    (a, b) => Number(labels.includes(b.label)) - Number(labels.includes(a.label)) || strength(b) - strength(a),
  );
}

function names({ labels, classes }: InfluenceResult): string {
  return labels.map((label) => labelName(label, classes)).join(', ');
}
