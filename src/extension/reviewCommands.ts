import { dirname, join } from 'node:path';
import * as vscode from 'vscode';
import type { Label, ReviewAction } from '../protocol/model';
import type { Devices } from './devices';
import type { Engine } from './engine';
import type { FailureNotice } from './failureNotice';
import type { Runs } from './runs';
import { chooseRun } from './setUp';
import type { SuspectRow } from './suspectRows';
import type { SuspectTree } from './suspectTree';

/** Ranking, deciding, undoing and exporting. Decisions go to the review file beside `whence.json`, never into the data. */
export function registerReviewCommands(
  engine: Engine,
  runs: Runs,
  devices: Devices,
  tree: SuspectTree,
  notice: FailureNotice,
): vscode.Disposable {
  const register = <A>(name: string, run: (argument?: A) => Promise<void>) =>
    vscode.commands.registerCommand(`whence.${name}`, (argument?: A) => notice.guard(() => run(argument)));

  async function decide(action: ReviewAction, given?: SuspectRow, newLabel?: Label): Promise<void> {
    const row = given ?? (await tree.rowAtKeyboard());
    const { config } = tree;
    if (!row || !config) return;
    const { example, suggested } = row.suspect;
    const label = action === 'relabel' ? { newLabel: newLabel ?? suggested } : {};
    tree.showReview(await engine.review({ config, example: example.id, action, ...label }));
    await goTo(await tree.selectNext(row));
  }

  async function goTo(row: SuspectRow | undefined): Promise<void> {
    if (row) await vscode.commands.executeCommand('whence.openExample', row.suspect.example);
  }

  async function relabelAs(given?: SuspectRow): Promise<void> {
    const row = given ?? (await tree.rowAtKeyboard());
    const classes = (tree.config && runs.find(tree.config)?.classes) || [];
    if (!row) return;
    const items = classes.map((label, index) => ({ label, description: String(index), index }));
    const placeHolder = vscode.l10n.t('New label of {0}', row.label);
    const chosen = await vscode.window.showQuickPick(items, { placeHolder, matchOnDescription: true });
    if (chosen) await decide('relabel', row, chosen.index);
  }

  return vscode.Disposable.from(
    register<{ config?: string }>('rankSuspects', async (node) => {
      const config = await chooseRun(runs, node?.config ?? tree.config);
      if (!config) return;
      await vscode.commands.executeCommand('whence.suspects.focus');
      await tree.rank(config);
      devices.noteUse(config);
    }),
    register<SuspectRow>('relabel', (row) => decide('relabel', row)),
    register<SuspectRow>('relabelAs', relabelAs),
    register<SuspectRow>('exclude', (row) => decide('exclude', row)),
    register<SuspectRow>('keep', (row) => decide('keep', row)),
    register('undoReview', async () => {
      const config = await chooseRun(runs, tree.config);
      if (!config) return;
      const undone = tree.lastDecision;
      tree.showReview(await engine.undoReview({ config }));
      if (undone) await goTo(await tree.select(undone.example));
    }),
    register('exportReview', async () => {
      const config = await chooseRun(runs, tree.config);
      if (!config) return;
      const defaultUri = vscode.Uri.file(join(dirname(config), 'review.csv'));
      const out = await vscode.window.showSaveDialog({ defaultUri, filters: { CSV: ['csv'] } });
      if (!out) return;
      await engine.exportReview({ config, out: out.fsPath });
      await vscode.window.showTextDocument(out);
    }),
  );
}
