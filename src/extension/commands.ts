import * as vscode from 'vscode';
import type { Example } from '../protocol/model';
import { attributeLine } from './attributeLine';
import type { DataEditors } from './dataEditor';
import type { EngineHost } from './engineHost';
import { type FailureNotice, showFile } from './failureNotice';
import { setUpGpu } from './gpuSetUp';
import type { InfluenceView } from './influenceView';
import { columnOf, revealExample } from './revealExample';
import type { RunNode } from './runNode';
import type { Runs } from './runs';
import type { RunTree } from './runTree';
import { chooseRun, setUp } from './setUp';
import type { SuspectTree } from './suspectTree';
import { trainingSnippet } from './trainingSnippet';

/** What the commands act on. */
export interface Parts {
  readonly host: EngineHost;
  readonly log: vscode.LogOutputChannel;
  readonly notice: FailureNotice;
  readonly runs: Runs;
  readonly runTree: RunTree;
  readonly suspectTree: SuspectTree;
  readonly influence: InfluenceView;
  readonly editors: DataEditors;
}

/** Every command but those of the review. A failure is shown with its one action. */
export function registerCommands(parts: Parts): vscode.Disposable {
  const { host, log, notice, runs, runTree, suspectTree, influence, editors } = parts;
  const { engine } = host;
  const register = <A>(name: string, run: (argument?: A) => Promise<unknown>) =>
    vscode.commands.registerCommand(`whence.${name}`, (argument?: A) => notice.guard(() => run(argument)));

  async function check(node?: RunNode): Promise<void> {
    const config = await chooseRun(runs, node?.config);
    if (!config) return;
    const quality = await runTree.progress.run((options) => engine.check({ config }, options));
    runs.keepQuality(config, quality);
    await runTree.revealCheckpoints(config);
  }

  return vscode.Disposable.from(
    register<RunNode>('setUp', (node) => setUp(runs, engine, runTree.progress, node?.config)),
    register<RunNode>('check', check),
    register('refresh', () => runs.refresh()),
    register('restartEngine', () => notice.act('restart')),
    register('showLog', async () => log.show()),
    register('attributeLine', () => attributeLine(engine, (config, example) => influence.attribute(config, example))),
    register<{ readonly index?: number }>('attributeExample', async (context) => {
      if (context?.index !== undefined) await editors.attributeInActive(context.index);
    }),
    register<Example>('openExample', async (example) => {
      if (example) await revealExample(example.location, editors);
    }),
    register<RunNode>('openFile', async (node) => {
      if (node?.file) await openFile(vscode.Uri.file(node.file));
    }),
    register<RunNode>('openConfig', async (node) => {
      const config = await chooseRun(runs, node?.config);
      if (config) await vscode.window.showTextDocument(vscode.Uri.file(config));
    }),
    register('setUpGpu', () => setUpGpu(host.worker, () => notice.act('restart'))),
    register('showSnippet', async () => {
      const document = await vscode.workspace.openTextDocument({ language: 'python', content: trainingSnippet });
      await vscode.window.showTextDocument(document);
    }),
    register('cancelCheck', async () => runTree.progress.cancel()),
    register('cancelRanking', async () => suspectTree.progress.cancel()),
    register('cancelAttribution', async () => influence.session.cancel()),
  );
}

/** A data file opens in the editor that the workbench has for it; what has none is shown where it lies. */
async function openFile(uri: vscode.Uri): Promise<void> {
  if (/ubyte(\.gz)?$|\.idx$/.test(uri.path)) {
    // Opened where it is open already, not once more beside itself.
    await vscode.commands.executeCommand('vscode.open', uri, columnOf(uri) ?? vscode.ViewColumn.Active);
  } else {
    await showFile(uri);
  }
}
