import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { AttributeRequest, GroupInfluenceRequest } from '../../protocol/engineApi';
import { WhenceError } from '../../protocol/errors';
import type { ExampleId, Measurement, MeasurementKind, MethodName, TrainingRun } from '../../protocol/model';
import { groupText } from '../groupText';
import { influencePage } from '../influencePage';
import { influenceText } from '../influenceText';
import { toJson } from '../json';
import { type GroupSelection, type QueryRange, resolveQueries } from '../queries';
import { findRun, parseLabel } from '../runs';
import type { CommandSession } from '../session';

export interface AttributeOptions {
  readonly workspace: string;
  readonly run?: string;
  readonly query: QueryRange;
  readonly method: MethodName;
  readonly measurement?: MeasurementKind;
  readonly target?: string;
  readonly token?: number;
  readonly top: number;
  readonly group?: GroupSelection;
  readonly json?: boolean;
  readonly html?: string;
}

/** Prints the training examples behind one prediction, or what a group of them did together. */
export async function attribute(session: CommandSession, options: AttributeOptions): Promise<void> {
  const run = await findRun(session, options.workspace, options.run);
  const [query] = await resolveQueries(session, run, [options.query]);
  if (!query) throw new WhenceError('bad-argument', 'There is no such example.');
  const measurement = await measurementOf(session, run, query, options);
  if (options.group) {
    const group = await groupOf(session, run, options.group);
    const asked = { config: run.config, query, method: options.method, group, ...(measurement ? { measurement } : {}) };
    const influence = await session.engine.groupInfluence(asked, session.call);
    return session.print(options.json ? toJson({ ...influence, classes: run.classes }) : groupText(influence, run));
  }
  const request: AttributeRequest = { config: run.config, query, method: options.method, top: options.top };
  const influence = await session.engine.attribute(measurement ? { ...request, measurement } : request, session.call);
  if (options.html !== undefined) {
    const path = resolve(options.html);
    await writePage(path, influencePage(influence, run));
    session.say(`Wrote ${path}`);
  }
  session.print(options.json ? toJson({ ...influence, classes: run.classes }) : influenceText(influence, run));
}

async function groupOf(
  session: CommandSession,
  run: TrainingRun,
  group: GroupSelection,
): Promise<GroupInfluenceRequest['group']> {
  if (group.kind === 'examples') return { examples: await resolveQueries(session, run, group.ranges) };
  return { labels: group.names.map((name) => parseLabel(name, run.classes)) };
}

/** Undefined: the engine's default, the margin of the predicted class. That class is the target where none is named. */
async function measurementOf(
  session: CommandSession,
  run: TrainingRun,
  { split, index }: ExampleId,
  { measurement, target, token }: AttributeOptions,
): Promise<Measurement | undefined> {
  if (token !== undefined) return { kind: measurement ?? 'loss', token };
  const kind = measurement ?? 'margin';
  if (target !== undefined) return { kind, target: parseLabel(target, run.classes) };
  if (measurement === undefined) return undefined;
  if (kind === 'margin') return { kind };
  if (kind === 'loss') return { kind };
  const page = await session.engine.examples(
    { config: run.config, split, from: index, count: 1, order: 'file' },
    session.call,
  );
  const predicted = page.examples[0]?.prediction.predicted;
  return predicted === undefined ? { kind } : { kind, target: predicted };
}

async function writePage(path: string, page: string): Promise<void> {
  try {
    await writeFile(path, page);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WhenceError('unreadable', `The page could not be written: ${reason}`, { file: path }, { cause });
  }
}
