import { toJson } from '../json';
import { findRun } from '../runs';
import type { CommandSession } from '../session';
import { table } from '../table';
import { exampleName, labelName, placeName, signed } from '../words';

export interface SuspectsOptions {
  readonly workspace: string;
  readonly run?: string;
  readonly top: number;
  readonly json?: boolean;
}

/** Prints the training examples whose label is most likely wrong. */
export async function suspects(session: CommandSession, options: SuspectsOptions): Promise<void> {
  const run = await findRun(session, options.workspace, options.run);
  const report = await session.engine.suspects({ config: run.config, top: options.top }, session.call);
  if (options.json) return session.print(toJson({ ...report, classes: run.classes }));
  const rows = report.suspects.map((suspect, rank) => [
    String(rank + 1),
    exampleName(suspect.example.id),
    labelName(suspect.example.label, run.classes),
    labelName(suspect.suggested, run.classes),
    suspect.suspicion.toFixed(3),
    suspect.meanLoss.toPrecision(3),
    signed(suspect.selfInfluence),
    suspect.decision?.action ?? '',
    placeName(suspect.example.location),
  ]);
  const columns = [
    { title: 'rank', align: 'right' },
    { title: 'example' },
    { title: 'given label' },
    { title: 'suggested' },
    { title: 'suspicion', align: 'right' },
    { title: 'mean loss', align: 'right' },
    { title: 'self-influence', align: 'right' },
    { title: 'decision' },
    { title: 'place' },
  ] as const;
  session.print(`${table(columns, rows)}\n${rows.length} of ${report.examples} training examples, most suspect first`);
}
