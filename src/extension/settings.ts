import * as vscode from 'vscode';

const section = 'whence';

/** What a window's user may choose; the manifest holds the defaults and their descriptions. */
export interface Settings {
  /** `auto` or an execution provider of onnxruntime. */
  readonly device: string;
  /** Megabytes that the engine may take; 0 leaves it to `whence.json`. */
  readonly memoryBudget: number;
  /** Folders of CUDA and cuDNN that the system's loader does not search by itself. */
  readonly cudaLibraries: readonly string[];
  /** Address of another index of packages than the one that onnxruntime names; empty for that one. */
  readonly gpuPackages: string;
  /** Examples in each list of the Influence view, and rows of the suspect-label list. */
  readonly top: number;
  readonly suspects: number;
}

export function readSettings(): Settings {
  const configuration = vscode.workspace.getConfiguration(section);
  return {
    device: configuration.get('device', 'auto'),
    memoryBudget: configuration.get('memoryBudget', 0),
    cudaLibraries: configuration.get('cudaLibraries', []),
    gpuPackages: configuration.get('gpuPackages', ''),
    top: configuration.get('top', 10),
    suspects: configuration.get('suspects', 100),
  };
}

/** For all of this user's windows on this machine. */
export async function saveSetting<K extends keyof Settings>(name: K, value: Settings[K]): Promise<void> {
  await vscode.workspace.getConfiguration(section).update(name, value, vscode.ConfigurationTarget.Global);
}

export function onDidChangeSetting(name: keyof Settings, listener: () => void): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration(`${section}.${name}`)) listener();
  });
}
