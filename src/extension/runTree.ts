import * as vscode from 'vscode';
import type { FailureNotice } from './failureNotice';
import type { RunNode } from './runNode';
import { foundSentence, runNodes } from './runNodes';
import type { Runs } from './runs';
import { TreeProgress } from './treeProgress';

const severityColors = {
  error: 'problemsErrorIcon.foreground',
  warning: 'problemsWarningIcon.foreground',
  info: 'problemsInfoIcon.foreground',
} as const;

/** The Runs view. Its first look into the workspace comes when it is first seen. */
export class RunTree implements vscode.TreeDataProvider<RunNode>, vscode.Disposable {
  readonly #runs: Runs;
  readonly #notice: FailureNotice;
  readonly #view: vscode.TreeView<RunNode>;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscription: vscode.Disposable;
  readonly progress: TreeProgress;
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(runs: Runs, notice: FailureNotice) {
    this.#runs = runs;
    this.#notice = notice;
    this.#view = vscode.window.createTreeView('whence.runs', { treeDataProvider: this, showCollapseAll: true });
    this.progress = new TreeProgress('whence.runs', this.#view);
    this.#subscription = runs.onDidChange(() => this.#update());
  }

  async getChildren(node?: RunNode): Promise<RunNode[]> {
    if (node) return [...(node.children ?? [])];
    try {
      await this.#runs.load();
    } catch (thrown) {
      this.#view.message = this.#notice.describe(thrown).sentence;
    }
    return [...runNodes(this.#runs.report, this.#runs.qualities, vscode.l10n.t)];
  }

  getTreeItem(node: RunNode): vscode.TreeItem {
    const item = new vscode.TreeItem(node.label, collapsibleState(node));
    item.id = node.id;
    item.contextValue = node.context;
    item.iconPath = new vscode.ThemeIcon(
      node.icon,
      node.severity && new vscode.ThemeColor(severityColors[node.severity]),
    );
    item.tooltip = node.tooltip ?? node.label;
    if (node.description !== undefined) item.description = node.description;
    const command = clickOf(node);
    if (command) item.command = command;
    return item;
  }

  dispose(): void {
    vscode.Disposable.from(this.#subscription, this.#view, this.#changed).dispose();
  }

  #update(): void {
    const { state, report } = this.#runs;
    const [proposal] = report.proposals;
    if (state === 'found' && proposal) this.#view.message = foundSentence(proposal, vscode.l10n.t);
    else if (state !== 'failed') this.#view.message = '';
    this.#changed.fire();
  }
}

function collapsibleState({ children, expanded }: RunNode): vscode.TreeItemCollapsibleState {
  if (!children || children.length === 0) return vscode.TreeItemCollapsibleState.None;
  return expanded ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.Collapsed;
}

function clickOf(node: RunNode): vscode.Command | undefined {
  if (node.context === 'setUp') {
    return { command: 'whence.setUp', title: vscode.l10n.t('Set Up This Workspace'), arguments: [node] };
  }
  if (node.context === 'split' || node.context === 'problem') {
    const file = node.file;
    if (file) return { command: 'whence.openFile', title: vscode.l10n.t('Open'), arguments: [node] };
  }
  return undefined;
}
