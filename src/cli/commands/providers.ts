import { findRun } from '../runs';
import type { CommandSession } from '../session';
import { table } from '../table';

/** Prints the devices that were tried on the run's own graph, and why each was taken or passed over. */
export async function providers(session: CommandSession, folder: string, name: string | undefined): Promise<void> {
  const run = await findRun(session, folder, name);
  const reports = await session.engine.providers({ config: run.config }, session.call);
  const rows = reports.map(({ provider, chosen, reason }) => [provider, chosen ? 'yes' : 'no', reason]);
  session.print(table([{ title: 'device' }, { title: 'chosen' }, { title: 'why' }], rows));
}
