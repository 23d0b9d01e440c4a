import type { Feeds, Runtime } from '../onnx/runtime';
import type { ProviderReport } from '../protocol/engineApi';
import { WhenceError } from '../protocol/errors';
import { measureApart } from './checkProcess';
import type { ProviderMeasurement, ProviderTrial } from './measureProvider';
import { builtProviders, createRuntime } from './session';

export interface ProviderOptions {
  /** Where the bundled worker program is; it is started anew for each check. */
  readonly program: URL;
  readonly threads?: number;
  /** How long one check may take; a first run compiles shaders. */
  readonly timeoutMilliseconds?: number;
  /** That the system's loader is to search before its own, in the process that tries a device. */
  readonly libraryFolders?: readonly string[];
  readonly platform?: string;
  readonly architecture?: string;
}

/** One batch, and the graph for it in the form that each provider would run. */
export interface DeviceGraph {
  graph(provider: string): Uint8Array;
  readonly feeds: Feeds;
}

export interface ProviderChoice {
  readonly runtime: Runtime;
  /** One for each provider that was looked at, in that order, the CPU last. */
  readonly reports: readonly ProviderReport[];
}

/** Largest difference from the CPU, relative to the largest value, at which a device's float32 numbers are trusted. */
export const acceptedDifference = 1e-3;

/** Devices worth trying, the likely fastest first. */
export function candidates(platform: string, architecture: string): readonly string[] {
  if (platform === 'win32') return ['cuda', 'dml', 'webgpu'];
  if (platform === 'darwin') return architecture === 'arm64' ? ['coreml', 'webgpu'] : ['webgpu'];
  return platform === 'linux' && architecture === 'x64' ? ['cuda', 'webgpu'] : ['webgpu'];
}

/**
 * The execution provider for graphs like this one. `auto` takes the first device that gives the CPU's numbers and is
 * faster, else the CPU. A named device is taken if its numbers are right, however fast; else `provider-unavailable`.
 */
export async function chooseProvider(
  graph: DeviceGraph,
  requested: string,
  options: ProviderOptions,
): Promise<ProviderChoice> {
  const { platform = process.platform, architecture = process.arch } = options;
  if (requested === 'cpu') return choice('cpu', [report('cpu', true, 'It was asked for by name.')], options);
  if (requested !== 'auto') return chooseNamed(graph, requested, options);
  const reports: ProviderReport[] = [];
  for (const provider of candidates(platform, architecture)) {
    const verdict = await tryProvider(trialOf(graph, provider), provider, options);
    const accepted = verdict.usable && verdict.faster;
    reports.push(report(provider, accepted, verdict.reason));
    if (!accepted) continue;
    reports.push(report('cpu', false, `${provider} gives the same numbers and is faster.`));
    return choice(provider, reports, options);
  }
  reports.push(report('cpu', true, 'No device was found that gives the same numbers faster.'));
  return choice('cpu', reports, options);
}

async function chooseNamed(graph: DeviceGraph, provider: string, options: ProviderOptions): Promise<ProviderChoice> {
  const verdict = await tryProvider(trialOf(graph, provider), provider, options);
  if (!verdict.usable) {
    const message = `The device ${provider} cannot be used: ${verdict.reason}`;
    throw new WhenceError('provider-unavailable', message, { mend: mendOf(provider, verdict) });
  }
  const reason = `It was asked for by name; ${verdict.reason}`;
  return choice(provider, [report(provider, true, reason)], options);
}

function trialOf({ graph, feeds }: DeviceGraph, provider: string): ProviderTrial {
  return { model: graph(provider), cpuModel: graph('cpu'), feeds };
}

function mendOf(provider: string, { measured }: Verdict): string {
  const other = 'set "device" to "auto" or "cpu"';
  if (measured) return `No run is computed with wrong numbers: ${other}.`;
  if (!builtProviders().includes(provider)) return 'Set "device" to "auto" or "cpu".';
  const install = provider === 'cuda' ? 'Run "Whence: Set Up GPU" (or whence setup-gpu)' : 'Install its driver';
  return `${install}, or ${other}.`;
}

export interface Verdict {
  /** It gives the CPU's numbers. */
  readonly usable: boolean;
  readonly faster: boolean;
  /** It computed something, be it right or wrong. */
  readonly measured: boolean;
  /** With the figures where it was measured. */
  readonly reason: string;
}

const unmeasured = { usable: false, faster: false, measured: false } as const;

/** Runs the trial on a device and on the CPU, in a process of its own. */
export async function tryProvider(trial: ProviderTrial, provider: string, options: ProviderOptions): Promise<Verdict> {
  const { program, timeoutMilliseconds = 120_000, libraryFolders } = options;
  if (!builtProviders().includes(provider)) {
    const platform = `${process.platform} ${process.arch}`;
    return { ...unmeasured, reason: `onnxruntime as installed here (${platform}) has no ${provider}.` };
  }
  try {
    return weigh(await measureApart(program, provider, trial, { timeoutMilliseconds, libraryFolders }));
  } catch (error) {
    return { ...unmeasured, reason: `It failed: ${failureReason(error)}` };
  }
}

/** Without the place in onnxruntime's own sources where it failed, which says nothing to a user. */
export function failureReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const unloaded = /load shared library(?:: (?<why>.+))?/.exec(message);
  if (unloaded) {
    const missing = /(lib[\w-]+\.so[.\d]*): cannot open shared object file/.exec(unloaded.groups?.why ?? '')?.[1];
    if (!missing) return `its libraries cannot be loaded: ${unloaded.groups?.why ?? 'they are not installed'}.`;
    const own = missing.includes('onnxruntime_providers');
    return own ? 'its libraries are not installed.' : `the system's loader does not find ${missing}.`;
  }
  return message.replace(/\S*onnxruntime_src\S* .*? was false\. /s, '').trim();
}

function weigh({ difference, cpuSeconds, deviceSeconds }: ProviderMeasurement): Verdict {
  const usable = difference <= acceptedDifference;
  const faster = deviceSeconds < cpuSeconds;
  const apart = Number.isFinite(difference)
    ? `by ${difference.toExponential(1)} of the largest value`
    : 'in NaN or shape';
  const numbers = `it differs from the CPU ${apart} (at most ${acceptedDifference.toExponential(0)} is accepted)`;
  const times = `one batch takes ${duration(deviceSeconds)}, on the CPU ${duration(cpuSeconds)}`;
  const verdict = usable ? (faster ? 'right and faster' : 'right but slower') : 'wrong';
  return { usable, faster, measured: true, reason: `${verdict}: ${numbers}; ${times}.` };
}

function duration(seconds: number): string {
  return seconds < 1 ? `${Number((seconds * 1000).toPrecision(3))} ms` : `${Number(seconds.toPrecision(3))} s`;
}

function report(provider: string, chosen: boolean, reason: string): ProviderReport {
  return { provider, chosen, reason };
}

function choice(provider: string, reports: readonly ProviderReport[], { threads }: ProviderOptions): ProviderChoice {
  return { runtime: createRuntime(provider, threads), reports };
}
