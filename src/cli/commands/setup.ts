import { resolve } from 'node:path';
import { WhenceError } from '../../protocol/errors';
import { writeProposal } from '../runs';
import type { CommandSession } from '../session';

export interface SetupOptions {
  readonly optimizer?: string;
}

/** Writes a `whence.json` for every run that has none. `optimizer` answers the question of those that have one. */
export async function setup(session: CommandSession, folder: string, { optimizer }: SetupOptions): Promise<void> {
  const root = resolve(folder);
  const { runs, proposals } = await session.engine.inspect({ folder: root }, session.call);
  for (const proposal of proposals) {
    await writeProposal(session, proposal, proposal.question && optimizer);
    session.print(proposal.config);
  }
  if (proposals.length > 0) return;
  if (runs.length === 0) {
    const mend = 'Save checkpoints while training and export the model to ONNX.';
    throw new WhenceError('not-found', 'There is nothing to set up: no checkpoints with a model.', {
      file: root,
      mend,
    });
  }
  for (const { config } of runs) session.say(`${config} is there already.`);
}
