import type { Influence, InfluentialExample, TrainingRun } from '../protocol/model';
import { type Column, table } from './table';
import {
  type Direction,
  directions,
  exampleName,
  labelName,
  measurementName,
  methodNames,
  placeName,
  predictionWords,
  signed,
  truncationWords,
} from './words';

/** An influence as plain text: the query, then both lists as tables. */
export function influenceText(influence: Influence, run: TrainingRun): string {
  const { query, measurement, segments } = influence;
  const [towards, away] = directions(measurement, run.classes);
  const facts = [
    methodNames[influence.method],
    ...(influence.method === 'source' && segments.length > 1 ? [`${segments.length} segments`] : []),
    measurementName(measurement, run.classes),
    `${influence.examples} training examples`,
    ...(influence.truncation ? [truncationWords(influence.truncation)] : []),
    `${influence.seconds.toFixed(2)} s`,
  ];
  return [
    `${exampleName(query.id)}  ${placeName(query.location)}`,
    `  ${predictionWords(query.label, query.prediction, run)}`,
    `  ${facts.join(', ')}`,
    '',
    list(towards, influence.towards, run),
    '',
    list(away, influence.away, run),
  ].join('\n');
}

function list({ heading, verb }: Direction, examples: readonly InfluentialExample[], { classes }: TrainingRun): string {
  if (examples.length === 0) return `${heading}: no training example did.`;
  const segments = Math.max(...examples.map(({ bySegment }) => bySegment.length));
  const bySegment: Column[] = segments > 1 ? [{ title: 'by segment' }] : [];
  const columns: Column[] = [
    { title: 'rank', align: 'right' },
    { title: 'example' },
    { title: 'label' },
    { title: 'effect' },
    ...bySegment,
    { title: 'place' },
  ];
  const rows = examples.map(({ example, score, bySegment: parts }, rank) => [
    String(rank + 1),
    exampleName(example.id),
    labelName(example.label, classes),
    `${verb} ${signed(score)}`,
    ...(segments > 1 ? [parts.map((part) => signed(part).padEnd(8)).join(' ')] : []),
    placeName(example.location),
  ]);
  return `${heading}\n${table(columns, rows)}`;
}
