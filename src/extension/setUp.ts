import { basename, dirname } from 'node:path';
import * as vscode from 'vscode';
import type { Proposal, Question } from '../protocol/engineApi';
import { WhenceError } from '../protocol/errors';
import type { Problem, TrainingRun } from '../protocol/model';
import { parseOptimizer } from '../protocol/optimizerText';
import type { Engine } from './engine';
import { foundSentence } from './runNodes';
import type { Runs } from './runs';
import type { TreeProgress } from './treeProgress';

/** Writes the `whence.json` that was proposed, opens it and looks again. Asks only where there is a choice. */
export async function setUp(runs: Runs, engine: Engine, progress: TreeProgress, config?: string): Promise<void> {
  await runs.ask();
  if (runs.state === 'untrusted') {
    await vscode.commands.executeCommand('workbench.trust.manage');
    return;
  }
  const { proposals, runs: known } = runs.report;
  if (proposals.length === 0) {
    await openKnown(known[0]);
    return;
  }
  const proposal = (config && runs.findProposal(config)) || (await chooseProposal(proposals));
  if (!proposal) return;
  const answer = proposal.question ? await ask(proposal.question) : {};
  if (!answer) return;
  await vscode.commands.executeCommand('whence.runs.focus', { preserveFocus: true });
  const { config: path, folder } = proposal;
  const found = await progress.run((options) => engine.setUp({ config: path, folder, ...answer }, options));
  const uri = vscode.Uri.file(proposal.config);
  // Someone may have written one meanwhile: it is opened, never replaced.
  if (!(await exists(uri))) await vscode.workspace.fs.writeFile(uri, new TextEncoder().encode(found.text));
  await vscode.window.showTextDocument(uri, { preview: false });
  await runs.refresh();
  warnOf(found.problems);
}

/** The one thing that no file tells, with a guess to confirm; undefined where the user would rather not. */
async function ask({ prompt, guess }: Question): Promise<{ readonly optimizer: string } | undefined> {
  const optimizer = await vscode.window.showInputBox({
    title: vscode.l10n.t('Set Up This Workspace'),
    prompt,
    value: guess,
    ignoreFocusOut: true,
    validateInput: (text) =>
      parseOptimizer(text)
        ? undefined
        : vscode.l10n.t('Write it as in Python: SGD(lr=0.1, momentum=0.9) or AdamW(lr=0.001, weight_decay=0.01).'),
  });
  return optimizer === undefined ? undefined : { optimizer };
}

/** Where everything is set up already, setting up means to look at it. */
async function openKnown(run: TrainingRun | undefined): Promise<void> {
  if (run) {
    await vscode.window.showTextDocument(vscode.Uri.file(run.config));
    return;
  }
  await vscode.commands.executeCommand('whence.runs.focus');
  throw new WhenceError('not-found', vscode.l10n.t('No checkpoints were found in this workspace.'), {
    mend: vscode.l10n.t('Open the folder that holds your checkpoints and the exported ONNX model.'),
  });
}

/** What only running the model could tell, such as a preprocessing that does not fit, must not pass unseen. */
function warnOf(problems: readonly Problem[]): void {
  for (const { severity, message, mend } of problems) {
    if (severity === 'info') continue;
    void vscode.window.showWarningMessage([message, mend].filter(Boolean).join(' '));
  }
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
