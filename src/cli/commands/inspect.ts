import { resolve } from 'node:path';
import type { Proposal, Question } from '../../protocol/engineApi';
import type { Checkpoint, TrainingRun } from '../../protocol/model';
import { toJson } from '../json';
import { problemLine } from '../runs';
import type { CommandSession } from '../session';
import { table } from '../table';
import { pathName } from '../words';

/** Prints what a folder holds: runs, what could become one, and what is missing. */
export async function inspect(session: CommandSession, folder: string, json: boolean): Promise<void> {
  const report = await session.engine.inspect({ folder: resolve(folder) }, session.call);
  if (json) return session.print(toJson(report));
  const parts = [
    ...report.runs.map(runText),
    ...report.proposals.map(proposalText),
    ...report.problems.map(problemLine),
  ];
  session.print(parts.length > 0 ? parts.join('\n\n') : 'No training run was found here.');
}

function runText(run: TrainingRun): string {
  const splits = run.splits.map(
    ({ name, format, examples, files }) =>
      `  ${name}: ${examples} examples, ${format}: ${files.map((file) => pathName(file)).join(', ')}`,
  );
  const segments = run.segments.map(({ from, to }) => `${from}-${to}`).join(', ');
  return [
    `${run.name}  ${run.config}`,
    `  model: ${pathName(run.model)}`,
    ...splits,
    ...(run.classes.length > 0 ? [`  classes: ${run.classes.join(', ')}`] : []),
    ...(run.writer ? [`  written by: ${run.writer}`] : []),
    `  optimizer: ${run.optimizer}; loss: ${run.loss}`,
    ...(segments ? [`  segments: ${segments}`] : []),
    checkpointTable(run.checkpoints),
    ...run.problems.map(problemLine),
  ].join('\n');
}

function proposalText(proposal: Proposal): string {
  const splits = proposal.splits.map(
    ({ name, examples, files }) => `  ${name}: ${examples} examples: ${files.map((file) => pathName(file)).join(', ')}`,
  );
  return [
    `Not set up: ${proposal.config} would describe`,
    `  model: ${proposal.model ? pathName(proposal.model) : 'not found'}`,
    ...splits,
    ...(proposal.writer ? [`  written by: ${proposal.writer}`] : []),
    `  optimizer: ${proposal.optimizer || 'not known'}`,
    checkpointTable(proposal.checkpoints),
    ...(proposal.question ? [questionText(proposal.question)] : []),
    ...proposal.problems.map(problemLine),
    'Set it up with `whence setup DIR`.',
  ].join('\n');
}

/** What a run cannot be set up without for certain, and how to say it. */
export function questionText({ prompt, guess }: Question): string {
  return `question: ${prompt}\n  Answer with whence setup DIR --optimizer '${guess}', which is the guess.`;
}

function checkpointTable(checkpoints: readonly Checkpoint[]): string {
  return table(
    [{ title: '  step', align: 'right' }, { title: 'learning rate' }, { title: 'loss' }, { title: 'file' }],
    checkpoints.map(({ step, learningRate, trainingLoss, file }) => [
      String(step),
      learningRate?.toPrecision(3) ?? '',
      trainingLoss?.toPrecision(3) ?? '',
      pathName(file),
    ]),
  );
}
