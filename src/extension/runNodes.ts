import { basename, dirname } from 'node:path';
import type { CheckpointQuality, Proposal, QualityReport, WorkspaceReport } from '../protocol/engineApi';
import type { Checkpoint, DataSplit, Problem, Segment, TrainingRun } from '../protocol/model';
import type { Translate } from './translate';

/** One row of the Runs tree as plain data. `context` gates its menus; `file` is what a click opens. */
export interface RunNode {
  readonly id: string;
  readonly label: string;
  readonly description?: string;
  readonly tooltip?: string;
  /** A codicon's name. */
  readonly icon: string;
  /** Colours the icon; the icon's shape says the same. */
  readonly severity?: Problem['severity'];
  readonly context: 'run' | 'proposal' | 'setUp' | 'checkpoint' | 'model' | 'split' | 'segment' | 'problem' | 'group';
  readonly expanded?: boolean;
  readonly children?: readonly RunNode[];
  readonly file?: string;
  /** The `whence.json` of the run or proposal that the row belongs to. */
  readonly config?: string;
}

/** The Runs tree of a workspace. `qualities` holds, by run, what the last check measured. */
export function runNodes(
  report: WorkspaceReport,
  qualities: ReadonlyMap<string, QualityReport>,
  t: Translate,
): readonly RunNode[] {
  return [
    ...report.runs.map((run) => runNode(run, qualities.get(run.config), t)),
    ...report.proposals.map((proposal) => proposalNode(proposal, t)),
    ...report.problems.map((problem, index) => problemNode(problem, `workspace/${index}`, t)),
  ];
}

function runNode(run: TrainingRun, quality: QualityReport | undefined, t: Translate): RunNode {
  const { config } = run;
  const last = run.checkpoints.at(-1);
  const problems = [...run.problems, ...(quality?.problems ?? [])];
  const worst = worstOf(problems);
  return {
    id: config,
    label: run.name,
    description: [last && t('step {0}', count(last.step)), run.optimizer].filter(Boolean).join(' · '),
    tooltip: [
      run.folder,
      t('{0} checkpoints, {1} segments, {2}', run.checkpoints.length, run.segments.length, run.optimizer),
      t('{0} classes, loss: {1}', run.classes.length, run.loss),
    ].join('\n'),
    icon: worst === 'error' ? 'error' : 'beaker',
    ...(worst === 'error' ? { severity: worst } : {}),
    context: 'run',
    expanded: true,
    config,
    children: [
      ...(problems.length > 0 ? [problemGroup(config, problems, t)] : []),
      checkpointGroup(config, run.checkpoints, quality, t),
      modelNode(config, run.model, t),
      splitGroup(config, run.splits, t),
      segmentGroup(config, run.segments, t),
    ],
  };
}

function proposalNode(proposal: Proposal, t: Translate): RunNode {
  const { config, checkpoints, splits, problems, model } = proposal;
  const setUp: RunNode = {
    id: `${config}/setUp`,
    label: t('Set Up This Workspace'),
    description: t('writes {0}', basename(config)),
    tooltip: t('Writes {0}, which describes this training run, and opens it.', config),
    icon: 'rocket',
    context: 'setUp',
    config,
  };
  return {
    id: config,
    label: basename(dirname(config)),
    description: t('not set up'),
    tooltip: [dirname(config), foundSentence(proposal, t)].join('\n'),
    icon: 'circle-large-outline',
    context: 'proposal',
    expanded: true,
    config,
    children: [
      setUp,
      ...(problems.length > 0 ? [problemGroup(config, problems, t)] : []),
      checkpointGroup(config, checkpoints, undefined, t),
      ...(model ? [modelNode(config, model, t)] : []),
      ...(splits.length > 0 ? [splitGroup(config, splits, t)] : []),
    ],
  };
}

/** `Found 8 checkpoints (steps 500–4,000), model.onnx, train 60,000 examples.` */
export function foundSentence({ checkpoints, model, splits }: Proposal, t: Translate): string {
  const first = checkpoints[0]?.step;
  const last = checkpoints.at(-1)?.step;
  const found = [
    first === undefined || last === undefined
      ? t('no checkpoints')
      : t('{0} checkpoints (steps {1}–{2})', checkpoints.length, count(first), count(last)),
    model ? basename(model) : t('no ONNX model'),
    ...splits.map((split) => t('{0} {1} examples', split.name, count(split.examples))),
  ];
  return t('Found {0}.', found.join(', '));
}

function checkpointGroup(
  config: string,
  checkpoints: readonly Checkpoint[],
  quality: QualityReport | undefined,
  t: Translate,
): RunNode {
  const qualities = new Map(quality?.checkpoints.map((entry) => [entry.step, entry]));
  return {
    id: `${config}/checkpoints`,
    label: t('Checkpoints'),
    description: count(checkpoints.length),
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
    description: [rate, ...(measured ?? [])].filter(Boolean).join(' · '),
    tooltip: [file, rate, ...(measured ?? []), logged === undefined ? undefined : t('logged loss {0}', figure(logged))]
      .filter(Boolean)
      .join('\n'),
    icon: 'save',
    context: 'checkpoint',
    config,
    file,
  };
}

function modelNode(config: string, file: string, t: Translate): RunNode {
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

function splitGroup(config: string, splits: readonly DataSplit[], t: Translate): RunNode {
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

function segmentGroup(config: string, segments: readonly Segment[], t: Translate): RunNode {
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

function problemGroup(config: string, problems: readonly Problem[], t: Translate): RunNode {
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

function problemNode({ severity, message, file, mend }: Problem, id: string, t: Translate): RunNode {
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

function worstOf(problems: readonly Problem[]): Problem['severity'] | undefined {
  return (['error', 'warning', 'info'] as const).find((severity) => problems.some((one) => one.severity === severity));
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** Three significant digits, without trailing zeros. */
function figure(value: number): string {
  return String(Number(value.toPrecision(3)));
}
