import * as vscode from 'vscode';
import type { Proposal, QualityReport, WorkspaceReport } from '../protocol/engineApi';
import type { TrainingRun } from '../protocol/model';
import type { Engine } from './engine';

/** What the welcome texts speak of. */
export type RunsState = 'noFolder' | 'untrusted' | 'looking' | 'nothing' | 'found' | 'ready' | 'failed';

const nothing: WorkspaceReport = { runs: [], proposals: [], problems: [] };

/** Changes of these mean that runs, or what their scores depend on, may be others now. Globs do not nest braces. */
const watched =
  '**/{whence.json,trainer_state.json,*.bin,*.ckpt,*.safetensors,*.pt,*.pth,*.onnx,*.csv,*.jsonl,*.idx,*-ubyte,*-ubyte.gz}';

/** The engine keeps factors in folders of this name; they are its own doing. */
const store = /[\\/]\.whence[\\/]/;

const debounceMs = 500;

/** The workspace's training runs as the engine found them. Nothing is looked for before someone asks. */
export class Runs implements vscode.Disposable {
  readonly #engine: Engine;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #filesChanged = new vscode.EventEmitter<void>();
  readonly #subscriptions: vscode.Disposable[];
  readonly #qualities = new Map<string, QualityReport>();
  #report = nothing;
  #loading: Promise<WorkspaceReport> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #state: RunsState = 'looking';

  /** The report, its state or a check's result changed. */
  readonly onDidChange = this.#changed.event;
  /** Files that runs are made of changed on disk; comes after the runs were looked for again. */
  readonly onDidChangeFiles = this.#filesChanged.event;

  constructor(engine: Engine) {
    this.#engine = engine;
    const watcher = vscode.workspace.createFileSystemWatcher(watched);
    const touched = (uri: vscode.Uri) => this.#touched(uri);
    this.#subscriptions = [
      this.#changed,
      this.#filesChanged,
      watcher,
      watcher.onDidChange(touched),
      watcher.onDidCreate(touched),
      watcher.onDidDelete(touched),
      vscode.workspace.onDidGrantWorkspaceTrust(() => void this.refresh().catch(() => {})),
      vscode.workspace.onDidChangeWorkspaceFolders(() => void this.refresh().catch(() => {})),
    ];
    this.#enter(this.#stateWithout() ?? 'looking');
  }

  get report(): WorkspaceReport {
    return this.#report;
  }

  get qualities(): ReadonlyMap<string, QualityReport> {
    return this.#qualities;
  }

  get state(): RunsState {
    return this.#state;
  }

  find(config: string): TrainingRun | undefined {
    return this.#report.runs.find((run) => run.config === config);
  }

  findProposal(config: string): Proposal | undefined {
    return this.#report.proposals.find((proposal) => proposal.config === config);
  }

  /** The report, looked for at the first call. A failed look stays failed until something calls for another. */
  load(): Promise<WorkspaceReport> {
    return this.#loading ?? this.refresh();
  }

  /** The report for a command: a failed look is repeated. */
  ask(): Promise<WorkspaceReport> {
    return this.#state === 'failed' ? this.refresh() : this.load();
  }

  /** Looks again. Fails with a `WhenceError`, after the state became `failed`. */
  refresh(): Promise<WorkspaceReport> {
    const loading = this.#look();
    this.#loading = loading;
    return loading;
  }

  keepQuality(config: string, quality: QualityReport): void {
    this.#qualities.set(config, quality);
    this.#changed.fire();
  }

  dispose(): void {
    clearTimeout(this.#timer);
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  async #look(): Promise<WorkspaceReport> {
    const without = this.#stateWithout();
    if (without) {
      this.#report = nothing;
      this.#enter(without);
      return nothing;
    }
    try {
      const reports = await Promise.all(
        localFolders().map((folder) => this.#engine.inspect({ folder: folder.fsPath })),
      );
      this.#report = {
        runs: reports.flatMap((report) => report.runs),
        proposals: reports.flatMap((report) => report.proposals),
        problems: reports.flatMap((report) => report.problems),
      };
      const { runs, proposals } = this.#report;
      this.#enter(runs.length > 0 ? 'ready' : proposals.length > 0 ? 'found' : 'nothing');
      return this.#report;
    } catch (thrown) {
      this.#report = nothing;
      this.#enter('failed');
      throw thrown;
    }
  }

  #stateWithout(): RunsState | undefined {
    if (localFolders().length === 0) return 'noFolder';
    return vscode.workspace.isTrusted ? undefined : 'untrusted';
  }

  #enter(state: RunsState): void {
    this.#state = state;
    const files = this.#report.runs.flatMap((run) => run.splits.flatMap((split) => split.files));
    // Menus compare `resourcePath`, which is a file system path here and a URI's path on remote machines.
    const paths = files.flatMap((file) => [file, vscode.Uri.file(file).path]);
    void vscode.commands.executeCommand('setContext', 'whence.dataFiles', [...new Set(paths)]);
    void vscode.commands.executeCommand('setContext', 'whence.state', state);
    this.#changed.fire();
  }

  #touched(uri: vscode.Uri): void {
    if (!this.#loading || store.test(uri.fsPath)) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(async () => {
      this.#qualities.clear();
      // A failure shows as the tree's state; the user did not ask for this look.
      await this.refresh().catch(() => {});
      this.#filesChanged.fire();
    }, debounceMs);
  }
}

function localFolders(): readonly vscode.Uri[] {
  return (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri).filter((uri) => uri.scheme === 'file');
}
