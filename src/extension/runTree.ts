import * as vscode from 'vscode';
import { providerNode } from './deviceNodes';
import type { Devices } from './devices';
import type { FailureNotice } from './failureNotice';
import { problemNode } from './problemNodes';
import type { RunNode } from './runNode';
import { foundMessage, runNodes } from './runNodes';
import { checkpointGroupId } from './runParts';
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
  readonly #devices: Devices;
  readonly #notice: FailureNotice;
  readonly #view: vscode.TreeView<RunNode>;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscription: vscode.Disposable;
  #roots: readonly RunNode[] = [];
  readonly progress: TreeProgress;
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(runs: Runs, devices: Devices, notice: FailureNotice) {
    this.#runs = runs;
    this.#devices = devices;
    this.#notice = notice;
    this.#view = vscode.window.createTreeView('whence.runs', { treeDataProvider: this, showCollapseAll: true });
    this.progress = new TreeProgress('whence.runs', this.#view);
    this.#subscription = vscode.Disposable.from(
      runs.onDidChange(() => this.#update()),
      devices.onDidChange(() => this.#update()),
    );
  }

  async getChildren(node?: RunNode): Promise<RunNode[]> {
    if (node?.children === 'asked') return this.#askDevice(node);
    if (node) return [...(node.children ?? [])];
    try {
      await this.#runs.load();
    } catch (thrown) {
      this.#view.message = this.#notice.describe(thrown).sentence;
    }
    const findings = { qualities: this.#runs.qualities, devices: this.#devices.known };
    this.#roots = runNodes(this.#runs.report, findings, vscode.l10n.t);
    return [...this.#roots];
  }

  /** `reveal` asks. */
  getParent(node: RunNode): RunNode | undefined {
    return parentOf(node, this.#roots);
  }

  /** Opens the run's checkpoints, where a check's figures stand. */
  async revealCheckpoints(config: string): Promise<void> {
    const run = this.#roots.find((root) => root.id === config);
    const group = childrenOf(run).find(({ id }) => id === checkpointGroupId(config));
    if (group) await this.#view.reveal(group, { expand: true, select: true, focus: false });
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

  async #askDevice({ id, config }: RunNode): Promise<RunNode[]> {
    if (!config) return [];
    try {
      const reports = await this.#devices.ask(config);
      return reports.map((report) => providerNode(config, report, vscode.l10n.t));
    } catch (thrown) {
      const { sentence, error } = this.#notice.describe(thrown);
      const { file } = error.details;
      const problem = { severity: 'error', message: sentence, ...(file ? { file } : {}) } as const;
      return [problemNode(problem, `${id}/problem`, vscode.l10n.t)];
    }
  }

  #update(): void {
    const { state, report } = this.#runs;
    if (state === 'found') this.#view.message = foundMessage(report.proposals, vscode.l10n.t);
    else if (state !== 'failed') this.#view.message = '';
    this.#changed.fire();
  }
}

function childrenOf(node: RunNode | undefined): readonly RunNode[] {
  return !node?.children || node.children === 'asked' ? [] : node.children;
}

function parentOf(node: RunNode, among: readonly RunNode[]): RunNode | undefined {
  for (const candidate of among) {
    const children = childrenOf(candidate);
    if (children.some(({ id }) => id === node.id)) return candidate;
    const deeper = parentOf(node, children);
    if (deeper) return deeper;
  }
  return undefined;
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
