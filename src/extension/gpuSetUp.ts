import { fork } from 'node:child_process';
import * as vscode from 'vscode';
import { childPort } from '../protocol/childPort';
import { type CallOptions, connect, type RemoteApi } from '../protocol/connection';
import { WhenceError } from '../protocol/errors';
import { type GpuApi, type GpuDownload, type GpuReport, gpuArgument } from '../protocol/gpuApi';
import { progressText } from './progressText';
import { readSettings, saveSetting } from './settings';

/**
 * Looks for what CUDA needs, says what is missing, and downloads onnxruntime's libraries for it if the user agrees; then tries
 * them. In a process of its own: the engine works on meanwhile.
 */
export async function setUpGpu(worker: vscode.Uri, restartEngine: () => Promise<void>): Promise<void> {
  const { gpu, end } = start(worker);
  try {
    const { cudaLibraries, gpuPackages } = readSettings();
    const report = await lookWithUser(gpu, cudaLibraries);
    if (!report) return;
    if (!report.installed) {
      const source = gpuPackages ? { source: gpuPackages } : {};
      const download = await working((options) => gpu.describe(source, options));
      if (!(await agreed(download, report))) return;
      await working((options) => gpu.install(download, options));
    }
    const verdict = await working((options) => gpu.verify({ folders: report.libraryFolders }, options));
    if (!verdict.works) throw new WhenceError('provider-unavailable', verdict.reason);
    if (report.libraryFolders.length > 0) await saveSetting('cudaLibraries', report.libraryFolders);
    await restartEngine();
    await vscode.window.showInformationMessage(vscode.l10n.t('CUDA works: {0}', verdict.reason));
  } finally {
    end();
  }
}

function start(worker: vscode.Uri): { readonly gpu: RemoteApi<GpuApi>; end(): void } {
  const child = fork(worker.fsPath, [gpuArgument], {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
  });
  const connection = connect<GpuApi>(childPort(child), { peer: vscode.l10n.t('The process that sets up the GPU') });
  return {
    gpu: connection.remote,
    end() {
      connection.dispose();
      child.kill('SIGKILL');
    },
  };
}

/** A download of minutes belongs to no view: it has a notification that can be cancelled. */
async function working<T>(work: (options: CallOptions) => Promise<T>): Promise<T> {
  const title = vscode.l10n.t('Setting up the GPU');
  const location = vscode.ProgressLocation.Notification;
  return vscode.window.withProgress({ location, title, cancellable: true }, async (bar, token) => {
    const cancel = new AbortController();
    const listening = token.onCancellationRequested(() => cancel.abort());
    let shown = 0;
    try {
      return await work({
        signal: cancel.signal,
        onProgress(progress) {
          const percent = progress.total > 0 ? (100 * progress.done) / progress.total : 0;
          bar.report({ message: progressText(progress, vscode.l10n.t), increment: Math.max(0, percent - shown) });
          shown = Math.max(shown, percent);
        },
      });
    } finally {
      listening.dispose();
    }
  });
}

/** Until all is there, or the user has no more folders to name. */
async function lookWithUser(gpu: RemoteApi<GpuApi>, known: readonly string[]): Promise<GpuReport | undefined> {
  let folders = known;
  for (;;) {
    const report = await working((options) => gpu.look({ folders }, options));
    if (report.unsupported) throw new WhenceError('provider-unavailable', report.unsupported);
    if (report.parts.every(({ found }) => found)) return report;
    const named = await namedWhereMissing(report);
    if (named.length === 0) return undefined;
    folders = [...named, ...folders];
  }
}

/** Says what is missing, and asks for the folders that it may be in. */
async function namedWhereMissing({ parts }: GpuReport): Promise<readonly string[]> {
  const detail = parts
    .map(({ name, found, detail: what, mend }) =>
      found
        ? vscode.l10n.t('{0}: found, {1}', name, what)
        : vscode.l10n.t('{0}: missing, {1}. {2}', name, what, mend ?? ''),
    )
    .join('\n\n');
  const name = vscode.l10n.t('Name Folders…');
  const message = vscode.l10n.t('CUDA cannot be set up yet; nothing was downloaded.');
  const chosen = await vscode.window.showWarningMessage(message, { modal: true, detail }, name);
  if (chosen !== name) return [];
  const title = vscode.l10n.t('Folders with CUDA 12 and cuDNN 9');
  const picked = await vscode.window.showOpenDialog({
    title,
    canSelectFolders: true,
    canSelectFiles: false,
    canSelectMany: true,
  });
  return (picked ?? []).map(({ fsPath }) => fsPath);
}

async function agreed({ url, bytes, sha512, files }: GpuDownload, { folder, parts }: GpuReport): Promise<boolean> {
  const megabytes = Math.round(bytes / 1e6);
  const check = sha512
    ? vscode.l10n.t("It is checked by the SHA-512 in the package's index.")
    : vscode.l10n.t("It is checked by its size and its files' checksums.");
  const detail = [
    vscode.l10n.t('{0} MB from {1}', megabytes, url),
    check,
    vscode.l10n.t('{0} go to {1}. Nothing of yours is sent.', files.map(({ name }) => name).join(', '), folder),
    parts.map(({ name, detail: what }) => `${name}: ${what}`).join('\n'),
  ].join('\n\n');
  const download = vscode.l10n.t('Download {0} MB', megabytes);
  const message = vscode.l10n.t("Download onnxruntime's libraries for CUDA?");
  return (await vscode.window.showInformationMessage(message, { modal: true, detail }, download)) === download;
}
