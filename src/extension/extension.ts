import * as vscode from 'vscode';
import { registerCommands } from './commands';
import { DataEditors } from './dataEditor';
import { Devices } from './devices';
import { ConfigDiagnostics } from './diagnostics';
import { EngineHost } from './engineHost';
import { FailureNotice } from './failureNotice';
import { InfluenceView } from './influenceView';
import { revealExample } from './revealExample';
import { registerReviewCommands } from './reviewCommands';
import { Runs } from './runs';
import { RunTree } from './runTree';
import { SuspectTree } from './suspectTree';

let running: EngineHost | undefined;

/** Puts the parts together. Nothing is computed here; the engine starts when something first asks it. */
export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Whence', { log: true });
  const host = new EngineHost(context, log);
  running = host;
  const { engine } = host;
  const runs = new Runs(engine);
  const notice = new FailureNotice(log, {
    restartEngine: async () => {
      await host.restart();
      devices.forget();
      await runs.refresh();
    },
    showLog: () => log.show(),
  });
  const devices = new Devices(engine, runs);
  const runTree = new RunTree(runs, devices, notice);
  const suspectTree = new SuspectTree(engine, runs);
  const editors: DataEditors = new DataEditors(context.extensionUri, engine, runs, notice, (config, example) =>
    influence.attribute(config, example),
  );
  const influence = new InfluenceView(context, engine, runs, devices, notice, (location) =>
    revealExample(location, editors),
  );
  const parts = { host, log, notice, runs, runTree, suspectTree, influence, editors };
  context.subscriptions.push(
    log,
    host,
    runs,
    devices,
    runTree,
    suspectTree,
    editors,
    influence,
    new ConfigDiagnostics(engine, runs.onDidChangeFiles),
    registerCommands(parts),
    registerReviewCommands(engine, runs, devices, suspectTree, notice),
  );
  void lookWhereSetUp(runs);
}

export async function deactivate(): Promise<void> {
  await running?.shutDown();
}

/** A workspace that is set up is looked into at once: the menus of its data files depend on it. */
async function lookWhereSetUp(runs: Runs): Promise<void> {
  const [config] = await vscode.workspace.findFiles('**/whence.json', '**/node_modules/**', 1);
  // A failure is the Runs view's to tell, when it is seen.
  if (config) await runs.load().catch(() => {});
}
