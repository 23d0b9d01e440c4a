import type { GroupInfluence, SummedInfluence, TrainingRun } from '../protocol/model';
import { table } from './table';
import {
  directions,
  exampleName,
  measurementName,
  methodNames,
  percent,
  placeName,
  predictionWords,
  signed,
} from './words';

/** What a group did to one query as plain text: both directions and the sum, each with its share of all training examples'. */
export function groupText(influence: GroupInfluence, run: TrainingRun): string {
  const { query, measurement, method, group, all } = influence;
  const [towards, away] = directions(measurement, run.classes);
  const row = (title: string, of: (sums: SummedInfluence) => number) => [
    title,
    signed(of(group)),
    signed(of(all)),
    of(all) === 0 ? '' : percent(of(group) / of(all)),
  ];
  const columns = [
    { title: '' },
    { title: 'group', align: 'right' },
    { title: 'all', align: 'right' },
    { title: 'share', align: 'right' },
  ] as const;
  const rows = [
    ['examples', String(group.examples), String(all.examples), percent(group.examples / all.examples)],
    row(towards.verb, (sums) => sums.towards),
    row(away.verb, (sums) => sums.away),
    // Shares of a sum in which two directions cancel would say nothing.
    ['together', signed(group.towards + group.away), signed(all.towards + all.away), ''],
  ];
  const facts = [methodNames[method], measurementName(measurement, run.classes), `${influence.seconds.toFixed(2)} s`];
  return [
    `${exampleName(query.id)}  ${placeName(query.location)}`,
    `  ${predictionWords(query.label, query.prediction, run)}`,
    `  ${facts.join(', ')}`,
    '',
    table(columns, rows),
  ].join('\n');
}
