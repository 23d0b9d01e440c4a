import type { ExampleId, InfluentialExample } from '../../../src/protocol/model';
import type { InfluenceResult } from '../../../src/protocol/viewApi';
import { segmentChart } from '../../charts/segments';
import { type BarDomain, signedBar, swatch, zeroAndAll } from '../../charts/signedBar';
import { element } from '../../element';
import { count, scoreFormat, significant } from '../../numbers';
import { shortPreview } from '../../preview';
import { rovingFocus } from '../../rovingFocus';
import { directions, exampleName, isPerToken, isRegression, labelName } from '../../vocabulary';

/** The two lists, on one scale, so that a bar here compares with a bar there. */
export function exampleLists(result: InfluenceResult, open: (example: ExampleId) => void): HTMLElement {
  const { towards, away } = result.influence;
  const { towards: towardsTitle, away: awayTitle } = directions(result);
  const all = [...towards, ...away];
  const largest = Math.max(0, ...all.map(({ score }) => Math.abs(score)));
  const scale: ListScale = {
    largest,
    segments: zeroAndAll(all.flatMap(({ bySegment }) => bySegment)),
    write: scoreFormat(largest),
  };
  return element(
    'div',
    { class: 'lists' },
    exampleList(towardsTitle, 'towards', towards, result, scale, open),
    exampleList(awayTitle, 'away', away, result, scale, open),
  );
}

interface ListScale {
  readonly largest: number;
  readonly segments: BarDomain;
  readonly write: (score: number) => string;
}

function exampleList(
  title: string,
  direction: 'towards' | 'away',
  entries: readonly InfluentialExample[],
  result: InfluenceResult,
  scale: ListScale,
  open: (example: ExampleId) => void,
): HTMLElement {
  const heading = element(
    'h2',
    { title },
    swatch(direction),
    element('span', { class: 'title' }, title),
    element('span', { class: 'count' }, count(entries.length)),
  );
  if (entries.length === 0) {
    return element(
      'section',
      { class: `list ${direction}` },
      heading,
      element('p', { class: 'nothing' }, 'No training example.'),
    );
  }
  const domain: BarDomain = direction === 'towards' ? [0, scale.largest] : [-scale.largest, 0];
  const rows = entries.map((entry) => exampleRow(entry, direction, domain, result, scale));
  const list = element('div', { role: 'listbox', 'aria-label': title }, ...rows);
  rovingFocus(list, (row) => {
    const entry = entries[rows.indexOf(row)];
    if (entry) open(entry.example.id);
  });
  return element('section', { class: `list ${direction}` }, heading, list);
}

function exampleRow(
  { example, score, bySegment }: InfluentialExample,
  direction: string,
  domain: BarDomain,
  { influence, classes }: InfluenceResult,
  { segments, write }: ListScale,
): HTMLElement {
  const { file, line, row } = example.location;
  const target = isRegression(influence)
    ? `target ${significant(example.label, 4)}`
    : labelName(example.label, classes);
  const label = isPerToken(influence) ? '' : target;
  return element(
    'div',
    {
      role: 'option',
      class: `row ${example.preview.kind}`,
      'aria-selected': 'false',
      'data-key': `${direction}:${exampleName(example.id)}`,
      title: `${file}${line === undefined ? '' : `:${line}`}${row === undefined ? '' : ` row ${row}`}`,
    },
    shortPreview(example.preview),
    element(
      'span',
      { class: 'what' },
      element('span', { class: 'index' }, `#${example.id.index}`),
      ' ',
      element('span', { class: 'label' }, label),
    ),
    element('span', { class: 'score' }, write(score)),
    element('span', { class: 'bars' }, signedBar(score, domain)),
    bySegment.length > 1 && segmentChart({ values: bySegment, segments: influence.segments, domain: segments, write }),
  );
}
