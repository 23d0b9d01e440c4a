import type { ProviderReport } from '../protocol/engineApi';
import type { RunNode } from './runNode';
import type { Translate } from './translate';

/** `Device: CPU` with the reasons below it; closed and without an answer until `reports` are there. */
export function deviceNode(config: string, reports: readonly ProviderReport[] | undefined, t: Translate): RunNode {
  const chosen = reports?.find((report) => report.chosen);
  return {
    id: `${config}/device`,
    label: t('Device'),
    description: chosen ? providerName(chosen.provider) : t('chosen at first use'),
    tooltip: reports
      ? reports.map((report) => providerSentence(report, t)).join('\n')
      : t('A device is used only after its numbers on this model were compared with those of the CPU.'),
    icon: 'chip',
    context: 'device',
    config,
    ...(reports ? { children: reports.map((report) => providerNode(config, report, t)) } : { children: 'asked' }),
  };
}

export function providerNode(config: string, report: ProviderReport, t: Translate): RunNode {
  const { provider, chosen, reason } = report;
  return {
    id: `${config}/device/${provider}`,
    label: providerName(provider),
    description: reason,
    tooltip: providerSentence(report, t),
    icon: chosen ? 'check' : 'circle-slash',
    context: 'provider',
    config,
  };
}

function providerSentence({ provider, chosen, reason }: ProviderReport, t: Translate): string {
  const name = providerName(provider);
  return chosen ? t('{0} is used. {1}', name, reason) : t('{0} is not used. {1}', name, reason);
}

const names: Readonly<Record<string, string>> = {
  cpu: 'CPU',
  cuda: 'CUDA',
  dml: 'DirectML',
  coreml: 'Core ML',
  webgpu: 'WebGPU',
};

function providerName(provider: string): string {
  return names[provider] ?? provider;
}
