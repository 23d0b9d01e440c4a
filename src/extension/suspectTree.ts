import * as vscode from 'vscode';
import type { Review } from '../protocol/engineApi';
import type { ExampleId, ReviewDecision, Suspect } from '../protocol/model';
import type { Engine } from './engine';
import type { Runs } from './runs';
import { readSettings } from './settings';
import { type SuspectRow, suspectRows } from './suspectRows';
import { TreeProgress } from './treeProgress';

const viewId = 'whence.suspects';

/** The Suspect Labels view: empty until a ranking is asked for. */
export class SuspectTree implements vscode.TreeDataProvider<SuspectRow>, vscode.Disposable {
  readonly #engine: Engine;
  readonly #runs: Runs;
  readonly #view: vscode.TreeView<SuspectRow>;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscription: vscode.Disposable;
  #config: string | undefined;
  #suspects: readonly Suspect[] = [];
  #decisions: readonly ReviewDecision[] = [];
  #rows: readonly SuspectRow[] = [];
  readonly progress: TreeProgress;
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(engine: Engine, runs: Runs) {
    this.#engine = engine;
    this.#runs = runs;
    this.#view = vscode.window.createTreeView(viewId, { treeDataProvider: this });
    this.progress = new TreeProgress(viewId, this.#view);
    this.#subscription = runs.onDidChangeFiles(() => {
      if (this.#config)
        this.#view.message = vscode.l10n.t('Files of this run have changed. Rank again to see their effect.');
    });
  }

  /** The `whence.json` of the run that was ranked. */
  get config(): string | undefined {
    return this.#config;
  }

  /**
   * The row that the keyboard is on. Arrows move a tree's focus and leave its selection behind, and of the two an extension
   * hears of the selection only: so the focused row is selected first.
   */
  async rowAtKeyboard(): Promise<SuspectRow | undefined> {
    await vscode.commands.executeCommand('list.selectAndPreserveFocus');
    return this.#view.selection[0];
  }

  /** The newest decision on the run that was ranked: the one that undoing takes back. */
  get lastDecision(): ReviewDecision | undefined {
    return this.#decisions.at(-1);
  }

  /** Ranks the run's training examples, most suspect first, and shows them with the decisions made so far. */
  async rank(config: string): Promise<void> {
    const { suspects, examples } = await this.progress.run((options) =>
      this.#engine.suspects({ config, top: readSettings().suspects }, options),
    );
    const review = await this.#engine.readReview({ config });
    this.#config = config;
    this.#suspects = suspects;
    this.#view.message = '';
    const run = this.#runs.find(config);
    this.#view.description = vscode.l10n.t('{0} of {1} in {2}', suspects.length, examples, run?.name ?? '');
    this.showReview(review);
  }

  /** Shows the decisions of the review file as they are after a change. */
  showReview({ decisions, canUndo }: Review): void {
    this.#decisions = decisions;
    void vscode.commands.executeCommand('setContext', 'whence.canUndoReview', canUndo);
    void vscode.commands.executeCommand('setContext', 'whence.ranked', this.#suspects.length > 0);
    const open = this.#suspects.length - this.#decided();
    this.#view.badge =
      open > 0 ? { value: open, tooltip: vscode.l10n.t('{0} suspect labels to review', open) } : undefined;
    this.#changed.fire();
  }

  /** Moves the selection from `row` to the one below, so that a whole list is reviewed by keyboard. Returns that one. */
  async selectNext(row: SuspectRow): Promise<SuspectRow | undefined> {
    const next = this.#rows[this.#rows.findIndex(({ id }) => id === row.id) + 1];
    if (!next || this.#view.selection[0]?.id !== row.id) return undefined;
    await this.#reveal(next);
    return next;
  }

  /** Selects the row of an example, if it has one: what an undone decision was about must be seen. */
  async select({ split, index }: ExampleId): Promise<SuspectRow | undefined> {
    const row = this.#rows.find(({ suspect: { example } }) => example.id.split === split && example.id.index === index);
    if (row) await this.#reveal(row);
    return row;
  }

  getChildren(row?: SuspectRow): SuspectRow[] {
    if (row) return [];
    const classes = (this.#config && this.#runs.find(this.#config)?.classes) || [];
    this.#rows = suspectRows(this.#suspects, this.#decisions, classes, vscode.l10n.t);
    return [...this.#rows];
  }

  /** Rows have no parents; `reveal` asks. */
  getParent(): undefined {
    return undefined;
  }

  getTreeItem(row: SuspectRow): vscode.TreeItem {
    const item = new vscode.TreeItem(row.label);
    item.id = row.id;
    item.description = row.description;
    item.tooltip = row.tooltip;
    item.accessibilityInformation = { label: row.spoken };
    item.iconPath = new vscode.ThemeIcon(row.icon);
    item.contextValue = row.context;
    item.command = {
      command: 'whence.openExample',
      title: vscode.l10n.t('Open Example'),
      arguments: [row.suspect.example],
    };
    return item;
  }

  dispose(): void {
    vscode.Disposable.from(this.#subscription, this.#view, this.#changed).dispose();
  }

  async #reveal(row: SuspectRow): Promise<void> {
    await this.#view.reveal(row, { select: true, focus: true });
  }

  #decided(): number {
    const keys = new Set(this.#decisions.map(({ example }) => `${example.split}:${example.index}`));
    return this.#suspects.filter(({ example }) => keys.has(`${example.id.split}:${example.id.index}`)).length;
  }
}
