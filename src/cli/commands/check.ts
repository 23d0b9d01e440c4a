import { findRun, problemLine } from '../runs';
import type { CommandSession } from '../session';
import { table } from '../table';
import { percent } from '../words';

/** Prints each checkpoint's accuracy and loss beside what training logged. True: no error was found. */
export async function check(session: CommandSession, folder: string, name: string | undefined): Promise<boolean> {
  const run = await findRun(session, folder, name);
  const report = await session.engine.check({ config: run.config }, session.call);
  const rows = report.checkpoints.map(({ step, accuracy, loss, loggedLoss }) => [
    String(step),
    accuracy === undefined ? '' : percent(accuracy),
    loss.toPrecision(3),
    loggedLoss?.toPrecision(3) ?? '',
  ]);
  const columns = [
    { title: 'step', align: 'right' },
    { title: 'accuracy', align: 'right' },
    { title: 'loss', align: 'right' },
    { title: 'logged loss', align: 'right' },
  ] as const;
  const problems = [...run.problems, ...report.problems];
  session.print([table(columns, rows), `on ${report.examples} examples`, ...problems.map(problemLine)].join('\n'));
  return !problems.some(({ severity }) => severity === 'error');
}
