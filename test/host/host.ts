import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installHost } from './install';

export interface HostOptions {
  /** Extensions to install, as paths of .vsix files. */
  readonly vsix?: readonly string[];
  /** User settings on top of `quietSettings`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Lets `runInExtensionHost` drive the workbench; hides notifications. */
  readonly smokeTest?: boolean;
  /** Asks for trust in folders as a fresh VS Code would. */
  readonly workspaceTrust?: boolean;
  readonly port?: number;
}

/** A running VS Code server with its own, empty user profile. */
export interface Host {
  readonly url: string;
  readonly port: number;
  /** Process of the server; the extension hosts are its descendants. */
  readonly pid: number;
  /** Its temporary folder: profile, extensions, `server.log`. */
  readonly folder: string;
  writeSettings(settings: Readonly<Record<string, unknown>>): Promise<void>;
  log(): Promise<string>;
  /** Ids of the extensions that any of its extension hosts has activated so far. */
  activated(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

const quietSettings = {
  'workbench.startupEditor': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.enableExperiments': false,
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoUpdate': false,
  'extensions.autoCheckUpdates': false,
  'chat.disableAIFeatures': true,
  'git.enabled': false,
  'explorer.compactFolders': false,
};

export async function startHost(options: HostOptions = {}): Promise<Host> {
  const installation = await installHost();
  const folder = await mkdtemp(join(tmpdir(), 'whence-host-'));
  const profile = join(folder, 'profile');
  const extensions = join(folder, 'extensions');
  await mkdir(join(profile, 'User'), { recursive: true });
  await mkdir(extensions);

  const writeSettings = (settings: Readonly<Record<string, unknown>>) =>
    writeFile(
      join(profile, 'User', 'settings.json'),
      JSON.stringify({ ...quietSettings, ...options.settings, ...settings }, null, 2),
    );
  await writeSettings({});

  const env = {
    ...process.env,
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'share'),
    // No gallery: the host must not look outside.
    EXTENSIONS_GALLERY: '{}',
  };
  const base = [installation.server, '--user-data-dir', profile, '--extensions-dir', extensions];
  for (const vsix of options.vsix ?? []) {
    await finished(spawn(installation.node, [...base, '--install-extension', vsix], { env }), `installing ${vsix}`);
  }

  const port = options.port ?? (await freePort());
  const logFile = join(folder, 'server.log');
  const log = openSync(logFile, 'w');
  const flags = [
    '--bind-addr',
    `127.0.0.1:${port}`,
    '--auth',
    'none',
    '--disable-telemetry',
    '--disable-update-check',
    '--disable-getting-started-override',
    ...(options.workspaceTrust ? [] : ['--disable-workspace-trust']),
    ...(options.smokeTest ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
  ];
  const server = spawn(installation.node, [...base, ...flags], { env, stdio: ['ignore', log, log] });
  closeSync(log);
  const host: Host = {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: server.pid ?? 0,
    folder,
    writeSettings,
    log: () => readFile(logFile, 'utf8'),
    activated: () => readActivated(join(profile, 'logs')),
    async stop() {
      await ended(server);
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
  await answers(host, server);
  return host;
}

async function answers(host: Host, server: ChildProcess): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    if (server.exitCode !== null || Date.now() > deadline) {
      throw new Error(`VS Code did not start:\n${await host.log()}`);
    }
    const response = await fetch(`${host.url}/healthz`).catch(() => undefined);
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function readActivated(logs: string): Promise<readonly string[]> {
  const files = (await readdir(logs, { recursive: true })).filter((file) => file.endsWith('remoteexthost.log'));
  const texts = await Promise.all(files.map((file) => readFile(join(logs, file), 'utf8')));
  return texts.flatMap((text) => [...text.matchAll(/_doActivateExtension ([\w.-]+)/g)].map(([, id]) => id ?? ''));
}

function finished(child: ChildProcess, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (chunk) => (output += String(chunk)));
    child.stderr?.on('data', (chunk) => (output += String(chunk)));
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${what} failed:\n${output}`))));
  });
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    const patience = setTimeout(() => child.kill('SIGKILL'), 5_000);
    child.on('exit', () => {
      clearTimeout(patience);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}
