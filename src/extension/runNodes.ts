import { basename, dirname } from 'node:path';
import type { Proposal, ProviderReport, QualityReport, WorkspaceReport } from '../protocol/engineApi';
import type { Problem, TrainingRun } from '../protocol/model';
import { deviceNode } from './deviceNodes';
import { problemGroup, problemNode, worstOf } from './problemNodes';
import type { RunNode } from './runNode';
import { checkpointGroup, count, modelNode, optimizerNode, segmentGroup, splitGroup } from './runParts';
import type { Translate } from './translate';

/** What was learnt of runs, by their `whence.json`, since the window was opened. */
export interface RunFindings {
  /** What the last check measured. */
  readonly qualities: ReadonlyMap<string, QualityReport>;
  /** Which device gradients run on. */
  readonly devices: ReadonlyMap<string, readonly ProviderReport[]>;
}

/** The Runs tree of a workspace. */
export function runNodes(report: WorkspaceReport, findings: RunFindings, t: Translate): readonly RunNode[] {
  return [
    ...report.runs.map((run) => runNode(run, findings, t)),
    ...report.proposals.map((proposal) => proposalNode(proposal, t)),
    ...workspaceProblems(report).map((problem, index) => problemNode(problem, `workspace/${index}`, t)),
  ];
}

/** Where nothing was found the view says by its welcome, which an only row would displace, what to do. */
function workspaceProblems({ runs, proposals, problems }: WorkspaceReport): readonly Problem[] {
  const found = runs.length + proposals.length > 0;
  return found ? problems : problems.filter(({ severity }) => severity !== 'info');
}

function runNode(run: TrainingRun, { qualities, devices }: RunFindings, t: Translate): RunNode {
  const { config } = run;
  const quality = qualities.get(config);
  const last = run.checkpoints.at(-1);
  const problems = [...run.problems, ...(quality?.problems ?? [])];
  const worst = worstOf(problems);
  return {
    id: config,
    label: run.name,
    description: [last && t('step {0}', count(last.step)), run.optimizer].filter(Boolean).join(' · '),
    tooltip: [
      run.folder,
      run.segments.length === 1
        ? t('{0} checkpoints, 1 segment, {1}', run.checkpoints.length, run.optimizer)
        : t('{0} checkpoints, {1} segments, {2}', run.checkpoints.length, run.segments.length, run.optimizer),
      t('{0} classes, loss: {1}', run.classes.length, run.loss),
    ].join('\n'),
    icon: worst === 'error' ? 'error' : 'beaker',
    ...(worst === 'error' ? { severity: worst } : {}),
    context: 'run',
    expanded: true,
    config,
    children: [
      ...(problems.length > 0 ? [problemGroup(config, problems, t)] : []),
      // A run whose whence.json cannot be used has problems and nothing else.
      ...(run.checkpoints.length > 0 ? [checkpointGroup(config, run.checkpoints, quality, run.writer, t)] : []),
      ...(run.optimizer ? [optimizerNode(config, run.optimizer, undefined, t)] : []),
      ...(run.model ? [modelNode(config, run.model, t)] : []),
      ...(run.splits.length > 0 ? [splitGroup(config, run.splits, t)] : []),
      ...(run.segments.length > 0 ? [segmentGroup(config, run.segments, t)] : []),
      ...(run.checkpoints.length > 0 && run.model ? [deviceNode(config, devices.get(config), t)] : []),
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
      checkpointGroup(config, checkpoints, undefined, proposal.writer, t),
      optimizerNode(config, proposal.optimizer, proposal.question, t),
      ...(model ? [modelNode(config, model, t)] : []),
      ...(splits.length > 0 ? [splitGroup(config, splits, t)] : []),
    ],
  };
}

/** What was found, before anything is set up. */
export function foundMessage(proposals: readonly Proposal[], t: Translate): string {
  const [first] = proposals;
  if (!first) return '';
  return proposals.length === 1
    ? foundSentence(first, t)
    : t('Found {0} training runs that are not set up yet.', proposals.length);
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
