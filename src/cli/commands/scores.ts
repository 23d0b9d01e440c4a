import { resolve } from 'node:path';
import type { MeasurementKind, MethodName } from '../../protocol/model';
import { type QueryRange, resolveQueries } from '../queries';
import { findRun, parseLabel } from '../runs';
import type { CommandSession } from '../session';
import { truncationWords } from '../words';

export interface ScoresOptions {
  readonly workspace: string;
  readonly run?: string;
  readonly queries: readonly QueryRange[];
  readonly method: MethodName;
  readonly measurement: MeasurementKind;
  readonly target?: string;
  readonly out: string;
}

/** Writes all scores of several queries as float32 [queries, training examples]. */
export async function scores(session: CommandSession, options: ScoresOptions): Promise<void> {
  const run = await findRun(session, options.workspace, options.run);
  const queries = await resolveQueries(session, run, options.queries);
  const target = options.target === undefined ? {} : { target: parseLabel(options.target, run.classes) };
  const out = resolve(options.out);
  const { shape, truncation } = await session.engine.scores(
    { config: run.config, queries, method: options.method, measurement: { kind: options.measurement, ...target }, out },
    session.call,
  );
  const truncated = truncation ? `; ${truncationWords(truncation)} at most` : '';
  session.print(`${out}  float32 [${shape.join(', ')}], positive = proponent${truncated}`);
}
