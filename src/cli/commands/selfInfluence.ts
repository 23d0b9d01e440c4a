import type { MethodName } from '../../protocol/model';
import { toJson } from '../json';
import { findRun } from '../runs';
import type { CommandSession } from '../session';
import { table } from '../table';
import { exampleName, labelName, methodNames, placeName, signed } from '../words';

export interface SelfInfluenceOptions {
  readonly workspace: string;
  readonly run?: string;
  readonly method: MethodName;
  readonly top: number;
  readonly json?: boolean;
}

/** Prints the training examples that moved their own loss most. */
export async function selfInfluence(session: CommandSession, options: SelfInfluenceOptions): Promise<void> {
  const { method, top } = options;
  const run = await findRun(session, options.workspace, options.run);
  const report = await session.engine.selfInfluence({ config: run.config, method, top }, session.call);
  if (options.json) return session.print(toJson({ ...report, classes: run.classes }));
  const rows = report.strongest.map(({ example, score }, rank) => [
    String(rank + 1),
    exampleName(example.id),
    labelName(example.label, run.classes),
    signed(score),
    placeName(example.location),
  ]);
  const columns = [
    { title: 'rank', align: 'right' },
    { title: 'example' },
    { title: 'label' },
    { title: 'self-influence', align: 'right' },
    { title: 'place' },
  ] as const;
  const said = `${rows.length} of ${report.examples} training examples, by ${methodNames[method]}`;
  session.print(`${table(columns, rows)}\n${said}`);
}
