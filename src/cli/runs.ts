import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Proposal } from '../protocol/engineApi';
import { WhenceError } from '../protocol/errors';
import type { Problem, TrainingRun } from '../protocol/model';
import type { CommandSession } from './session';

/**
 * The run that a command is about: the folder's only one, or the one called `name`. A folder with a single run that is not
 * set up is set up on the way, and said so.
 */
export async function findRun(session: CommandSession, folder: string, name: string | undefined): Promise<TrainingRun> {
  const root = resolve(folder);
  let report = await session.engine.inspect({ folder: root }, session.call);
  const [proposal] = report.proposals;
  if (report.runs.length === 0 && proposal && report.proposals.length === 1) {
    await writeProposal(session, proposal);
    report = await session.engine.inspect({ folder: root }, session.call);
  }
  const { runs } = report;
  const fitting = name === undefined ? runs : runs.filter((run) => run.name === name);
  const [run] = fitting;
  if (run && fitting.length === 1) return run;
  const names = runs.map((each) => each.name).join(', ');
  if (runs.length > 0) {
    const message =
      name === undefined ? `There are several runs: ${names}.` : `No single run is called ${name}: there are ${names}.`;
    throw new WhenceError('bad-argument', message, { file: root, mend: 'Name one with --run NAME.' });
  }
  if (report.proposals.length > 0) {
    const message = `${report.proposals.length} training runs were found, none of them set up.`;
    throw new WhenceError('not-set-up', message, { file: root, mend: 'Set them up with `whence setup DIR`.' });
  }
  const problem = report.problems.find(({ severity }) => severity === 'error') ?? report.problems[0];
  const message = problem?.message ?? 'No training run was found: no whence.json and no checkpoints with a model.';
  const mend = problem?.mend ?? 'Save checkpoints while training and export the model to ONNX.';
  throw new WhenceError('not-found', message, { file: problem?.file ?? root, mend });
}

/**
 * Writes a proposal's `whence.json`, completed by running the model; never over one that is there.
 * @param optimizer the answer to the proposal's question; without one its guess stands, and is said
 */
export async function writeProposal(
  session: CommandSession,
  { config, folder, question }: Proposal,
  optimizer?: string,
): Promise<void> {
  const answer = optimizer === undefined ? {} : { optimizer };
  const { text, problems } = await session.engine.setUp({ config, folder, ...answer }, session.call);
  try {
    await writeFile(config, text, { flag: 'wx' });
  } catch (cause) {
    const exists = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = exists ? 'There is a whence.json already.' : `whence.json could not be written: ${reason}`;
    throw new WhenceError('unreadable', message, { file: config }, { cause });
  }
  session.say(`Wrote ${config} from what was found. Look through it: the guesses are commented.`);
  if (question && optimizer === undefined) {
    session.say(`${question.prompt} Guessed: ${question.guess}. Set what is true under "optimizer".`);
  }
  for (const problem of problems) session.say(problemLine(problem));
}

export function problemLine({ severity, file, message, mend }: Problem): string {
  const where = file ? `${file}: ` : '';
  return [`${severity}: ${where}${message}`, mend].filter(Boolean).join('\n  ');
}

/** A class by its name or number. */
export function parseLabel(text: string, classes: readonly string[]): number {
  const named = classes.indexOf(text);
  if (named >= 0) return named;
  const number = Number(text);
  const known = classes.length === 0 || (Number.isInteger(number) && number >= 0 && number < classes.length);
  if (text.trim() !== '' && Number.isFinite(number) && known) return number;
  const mend = classes.length > 0 ? `The classes are ${classes.join(', ')}.` : 'Give its number.';
  throw new WhenceError('bad-argument', `There is no class ${text}.`, { mend });
}
