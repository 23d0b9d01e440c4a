import { basename } from 'node:path';
import type { CheckpointQuality, QualityReport } from '../protocol/engineApi';
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
  t: Translate,
): RunNode {
  const qualities = new Map(quality?.checkpoints.map((entry) => [entry.step, entry]));
  return {
    id: checkpointGroupId(config),
    label: t('Checkpoints'),
    description: quality
      ? t('{0} · checked on {1} training examples', count(checkpoints.length), count(quality.examples))
      : count(checkpoints.length),
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
  const measured = quality && [
    quality.accuracy === undefined ? undefined : t('accuracy {0} %', (quality.accuracy * 100).toFixed(1)),
    t('loss {0}', figure(quality.loss)),
  ];
  const logged = quality?.loggedLoss ?? trainingLoss;
  return {
    id: `${config}/checkpoint/${file}`,
    label: t('step {0}', count(step)),
    description: [...(measured ?? []), rate].filter(Boolean).join(' · '),
    tooltip: [file, rate, ...(measured ?? []), logged === undefined ? undefined : t('logged loss {0}', figure(logged))]
      .filter(Boolean)
      .join('\n'),
    icon: 'save',
    context: 'checkpoint',
    config,
    file,
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
