import { basename } from 'node:path';
import type { CheckpointQuality, QualityReport, Question } from '../protocol/engineApi';
import type { Checkpoint, DataSplit, Segment } from '../protocol/model';
import type { RunNode } from './runNode';
import type { Translate } from './translate';

export function checkpointGroupId(config: string): string {
  return `${config}/checkpoints`;
}

export function checkpointGroup(
  config: string,
  checkpoints: readonly Checkpoint[],
  quality: QualityReport | undefined,
  writer: string | undefined,
  t: Translate,
): RunNode {
  const qualities = new Map(quality?.checkpoints.map((entry) => [entry.step, entry]));
  return {
    id: checkpointGroupId(config),
    label: t('Checkpoints'),
    description: [count(checkpoints.length), quality ? headingOf(quality, t) : writer].filter(Boolean).join(' · '),
    ...(quality
      ? { tooltip: t('Accuracy and mean loss were measured on {0} training examples.', count(quality.examples)) }
      : {}),
    icon: 'layers',
    context: 'group',
    config,
    children: checkpoints.map((checkpoint) => checkpointNode(config, checkpoint, qualities.get(checkpoint.step), t)),
  };
}

function checkpointNode(
  config: string,
  { file, step, learningRate, trainingLoss }: Checkpoint,
  quality: CheckpointQuality | undefined,
  t: Translate,
): RunNode {
  const rate = learningRate === undefined ? undefined : t('learning rate {0}', figure(learningRate));
  const accuracy = quality?.accuracy === undefined ? undefined : `${(quality.accuracy * 100).toFixed(1)} %`;
  const loss = quality && t('loss {0}', quality.loss.toPrecision(3));
  const logged = quality?.loggedLoss ?? trainingLoss;
  return {
    id: `${config}/checkpoint/${file}`,
    label: t('step {0}', count(step)),
    // A narrow side bar has room for the measured figures alone.
    description: [accuracy, loss].filter(Boolean).join(' · ') || (rate ?? ''),
    tooltip: [
      file,
      rate,
      accuracy && t('accuracy {0}', accuracy),
      loss,
      logged === undefined ? undefined : t('logged loss {0}', figure(logged)),
    ]
      .filter(Boolean)
      .join('\n'),
    icon: 'save',
    context: 'checkpoint',
    config,
    file,
  };
}

function headingOf({ checkpoints }: QualityReport, t: Translate): string {
  return checkpoints.some(({ accuracy }) => accuracy !== undefined) ? t('accuracy, loss') : t('loss');
}

/** How the weights were updated. */
export function optimizerNode(
  config: string,
  optimizer: string,
  question: Question | undefined,
  t: Translate,
): RunNode {
  return {
    id: `${config}/optimizer`,
    label: t('Optimizer'),
    description: optimizer || t('not known'),
    tooltip: [optimizer, question?.prompt].filter(Boolean).join('\n'),
    icon: question ? 'question' : 'settings-gear',
    context: 'group',
    config,
  };
}

export function modelNode(config: string, file: string, t: Translate): RunNode {
  return {
    id: `${config}/model`,
    label: t('Model'),
    description: basename(file),
    tooltip: file,
    icon: 'symbol-structure',
    context: 'model',
    config,
    file,
  };
}

export function splitGroup(config: string, splits: readonly DataSplit[], t: Translate): RunNode {
  return {
    id: `${config}/splits`,
    label: t('Data'),
    description: splits.map((split) => split.name).join(', '),
    icon: 'database',
    context: 'group',
    expanded: true,
    config,
    children: splits.map(({ name, format, files, examples }) => ({
      id: `${config}/split/${name}`,
      label: name,
      description: `${t('{0} examples', count(examples))} · ${format}`,
      tooltip: files.join('\n'),
      icon: 'table',
      context: 'split',
      config,
      ...(files[0] ? { file: files[0] } : {}),
    })),
  };
}

export function segmentGroup(config: string, segments: readonly Segment[], t: Translate): RunNode {
  return {
    id: `${config}/segments`,
    label: t('Segments'),
    description: count(segments.length),
    tooltip: t('Stretches of training within which SOURCE takes curvature and learning rate as constant.'),
    icon: 'list-ordered',
    context: 'group',
    config,
    children: segments.map(({ from, to, totalLearningRate, checkpoints }, index) => ({
      id: `${config}/segment/${index}`,
      label: t('steps {0}–{1}', count(from), count(to)),
      description: t('total learning rate {0}', figure(totalLearningRate)),
      tooltip: t('Checkpoints: {0}', checkpoints.map(count).join(', ')),
      icon: 'arrow-both',
      context: 'segment',
      config,
    })),
  };
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Three significant digits, without trailing zeros. */
function figure(value: number): string {
  return String(Number(value.toPrecision(3)));
}
