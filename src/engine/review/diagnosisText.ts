import type { Problem } from '../../protocol/model';
import type { OpenRun } from '../run/openRun';
import type { Diagnosis, Tried } from './diagnosis';
import type { LabelCause } from './labelCauses';

/**
 * A diagnosis as problems of the run, the likeliest cause first; none where no cause was found. `what` says what was seen.
 */
export function diagnosisProblems(run: OpenRun, what: string, { changes, alternatives, labels }: Diagnosis): Problem[] {
  const file = run.path;
  const problems: Problem[] = [];
  const last = changes.at(-1);
  if (last) {
    const causes = changes.map(({ cause, loss }) => `${cause}: without that it is ${loss.toFixed(2)}.`);
    problems.push({ severity: 'warning', message: [what, ...causes].join(' '), file, mend: preprocessMend(last) });
  }
  if (labels) {
    const percent = Math.round(100 * labels.accuracy);
    const message = `${labels.cause}. Read so, ${percent} % of the training data are predicted rightly.`;
    const mend = labelMend(run, labels);
    problems.push({ severity: 'warning', message: last ? message : `${what} ${message}`, file, mend });
  }
  for (const other of alternatives) {
    const message = `Less likely: ${lowerFirst(other.cause)}: without that the loss is ${other.loss.toFixed(2)}.`;
    problems.push({ severity: 'info', message, file, mend: preprocessMend(other) });
  }
  return problems;
}

function preprocessMend({ preprocess }: Tried): string {
  const text = JSON.stringify(preprocess).replaceAll('":', '": ').replaceAll(',"', ', "');
  return Object.keys(preprocess).length === 0
    ? 'Remove "preprocess" from whence.json.'
    : `Set "preprocess" to ${text} in whence.json.`;
}

/** Names are looked up in `classes`; numbers too where they are listed there as texts. */
function labelMend({ splits, config }: OpenRun, { order }: LabelCause): string {
  const train = splits.get('train')!;
  const isText = train.format === 'csv' || train.format === 'jsonl' || train.format === 'images';
  const names = train.classes ?? (isText && !config.classes ? order.map((_, label) => String(label)) : undefined);
  if (!names) {
    const place = train.labelFile ?? train.files.at(-1)!;
    return `Write the labels again so that they are the model's classes: ${place}.`;
  }
  const classes: string[] = [];
  order.forEach((own, label) => {
    classes[own] = names[label] ?? String(label);
  });
  return `Set "classes" to ${JSON.stringify(classes).replaceAll('","', '", "')} in whence.json.`;
}

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
