import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import type { Proposal } from '../protocol/engineApi';
import { WhenceError } from '../protocol/errors';
import { foundSentence } from './runNodes';
import type { Runs } from './runs';

/** Writes the `whence.json` that was proposed, opens it and looks again. Asks only where there is a choice. */
export async function setUp(runs: Runs, config?: string): Promise<void> {
  await runs.ask();
  const { proposals, runs: known } = runs.report;
  const proposal = (config && runs.findProposal(config)) || (await chooseProposal(proposals));
  if (proposal) {
    const uri = vscode.Uri.file(proposal.config);
    if (!(await exists(uri))) await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(proposal.text));
    await vscode.window.showTextDocument(uri);
    await runs.refresh();
    return;
  }
  if (proposals.length > 0) return;
  const [run] = known;
  if (run) {
    await vscode.window.showTextDocument(vscode.Uri.file(run.config));
    return;
  }
  await vscode.commands.executeCommand('whence.runs.focus');
  throw new WhenceError('not-found', vscode.l10n.t('No checkpoints were found in this workspace.'), {
    mend: vscode.l10n.t('Open the folder that holds your checkpoints and the exported ONNX model.'),
  });
}

/** The run that a command without an argument means: the only one, or the one that is chosen. */
export async function chooseRun(runs: Runs, config?: string): Promise<string | undefined> {
  if (config) return config;
  const { runs: known } = await runs.ask();
  if (known.length === 0) {
    throw new WhenceError('not-set-up', vscode.l10n.t('There is no training run in this workspace yet.'));
  }
  if (known.length === 1) return known[0]?.config;
  const items = known.map((run) => ({ label: run.name, description: run.folder, config: run.config }));
  const chosen = await vscode.window.showQuickPick(items, { placeHolder: vscode.l10n.t('Which training run?') });
  return chosen?.config;
}

async function chooseProposal(proposals: readonly Proposal[]): Promise<Proposal | undefined> {
  if (proposals.length < 2) return proposals[0];
  const items = proposals.map((proposal) => ({
    label: basename(dirname(proposal.config)),
    description: dirname(proposal.config),
    detail: foundSentence(proposal, vscode.l10n.t),
    proposal,
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    placeHolder: vscode.l10n.t('Which training run is to be set up?'),
  });
  return chosen?.proposal;
}

async function exists(uri: vscode.Uri): Promise<boolean> {
  try {
    await vscode.workspace.fs.stat(uri);
    return true;
  } catch {
    return false;
  }
}
