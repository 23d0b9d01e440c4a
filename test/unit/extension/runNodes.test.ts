import { describe, expect, it } from 'vitest';
import type { RunNode } from '../../../src/extension/runNode';
import { foundMessage, type RunFindings, runNodes } from '../../../src/extension/runNodes';
import type { Proposal, ProviderReport, QualityReport, WorkspaceReport } from '../../../src/protocol/engineApi';
import type { TrainingRun } from '../../../src/protocol/model';
import { english } from './english';

const run: TrainingRun = {
  config: '/ws/run/whence.json',
  name: 'run',
  folder: '/ws/run',
  model: '/ws/run/model.onnx',
  checkpoints: [
    { file: '/ws/run/step-500.safetensors', step: 500, learningRate: 0.1 },
    { file: '/ws/run/step-1000.safetensors', step: 1000, learningRate: 0.0123456, trainingLoss: 0.5 },
  ],
  splits: [{ name: 'train', format: 'idx', files: ['/ws/run/images.gz', '/ws/run/labels.gz'], examples: 5000 }],
  classes: ['cat', 'dog'],
  optimizer: 'SGD, momentum 0.9',
  loss: 'cross-entropy',
  segments: [{ from: 0, to: 1000, totalLearningRate: 31.25, checkpoints: [500, 1000] }],
  problems: [],
};

const proposal: Proposal = {
  config: '/ws/other/whence.json',
  folder: '/ws',
  optimizer: '',
  question: { prompt: 'No file tells the learning rate. How was this run trained?', guess: 'SGD(lr=0.01)' },
  text: '{}',
  checkpoints: [
    { file: '/ws/other/a.pt', step: 10 },
    { file: '/ws/other/b.pt', step: 2000 },
  ],
  splits: [],
  problems: [{ severity: 'warning', message: 'There is no log.', mend: 'Say the learning rate.' }],
};

function nodes(report: Partial<WorkspaceReport>, findings: Partial<RunFindings> = {}): readonly RunNode[] {
  const whole = { runs: [], proposals: [], problems: [], ...report };
  return runNodes(whole, { qualities: new Map(), devices: new Map(), ...findings }, english);
}

function all(some: readonly RunNode[]): readonly RunNode[] {
  return some.flatMap((node) => [node, ...all(node.children === 'asked' ? [] : (node.children ?? []))]);
}

function labels(node: RunNode | undefined): readonly string[] {
  return node?.children === 'asked' ? [] : (node?.children ?? []).map(({ label }) => label);
}

function find(some: readonly RunNode[], label: string): RunNode {
  const found = all(some).find((node) => node.label === label);
  if (!found) throw new Error(`there is no row ${label} among ${all(some).map((node) => node.label)}`);
  return found;
}

describe('runNodes', () => {
  it('shows a run with what it is made of', () => {
    const [root] = nodes({ runs: [run] });
    expect(labels(root)).toEqual(['Checkpoints', 'Optimizer', 'Model', 'Data', 'Segments', 'Device']);
    expect(root).toMatchObject({ label: 'run', context: 'run', description: 'step 1,000 · SGD, momentum 0.9' });
    expect(find([root as RunNode], 'step 1,000').description).toBe('learning rate 0.0123');
    expect(find([root as RunNode], 'train').description).toBe('5,000 examples · idx');
    expect(find([root as RunNode], 'steps 0–1,000').description).toBe('total learning rate 31.3');
  });

  it('adds what a check measured to the checkpoints that it measured', () => {
    const quality: QualityReport = {
      examples: 100,
      checkpoints: [{ step: 500, accuracy: 0.8349, loss: 0.4999, loggedLoss: 0.51 }],
      problems: [{ severity: 'error', message: 'Not what training logged.' }],
    };
    const shown = nodes({ runs: [run] }, { qualities: new Map([[run.config, quality]]) });
    expect(find(shown, 'step 500').description).toBe('83.5 % · loss 0.500');
    expect(find(shown, 'step 500').tooltip).toContain('learning rate 0.1\naccuracy 83.5 %\nloss 0.500');
    expect(find(shown, 'step 500').tooltip).toContain('logged loss 0.51');
    expect(find(shown, 'step 1,000').description).toBe('learning rate 0.0123');
    expect(find(shown, 'Checkpoints').description).toBe('2 · accuracy, loss');
    expect(find(shown, 'Checkpoints').tooltip).toContain('100 training examples');
    expect(shown[0]).toMatchObject({ icon: 'error', severity: 'error' });
    expect(find(shown, 'Problems').children).toHaveLength(1);
  });

  it('names the device that is used, with the reasons for it and against the others', () => {
    expect(find(nodes({ runs: [run] }), 'Device')).toMatchObject({
      description: 'chosen at first use',
      children: 'asked',
    });
    const reports: readonly ProviderReport[] = [
      { provider: 'webgpu', chosen: false, reason: 'wrong: it differs from the CPU.' },
      { provider: 'cpu', chosen: true, reason: 'No device was found that gives the same numbers faster.' },
    ];
    const shown = nodes({ runs: [run] }, { devices: new Map([[run.config, reports]]) });
    const device = find(shown, 'Device');
    expect(device.description).toBe('CPU');
    expect(device.tooltip).toContain('WebGPU is not used. wrong: it differs from the CPU.');
    expect(labels(device)).toEqual(['WebGPU', 'CPU']);
    expect(find(shown, 'CPU')).toMatchObject({ icon: 'check', description: reports[1]?.reason });
  });

  it('tells how a run was trained, and what no file tells', () => {
    const shown = nodes({ runs: [{ ...run, writer: 'transformers Trainer' }] });
    expect(find(shown, 'Optimizer')).toMatchObject({ description: 'SGD, momentum 0.9', icon: 'settings-gear' });
    expect(find(shown, 'Checkpoints').description).toBe('2 · transformers Trainer');
    const asked = find(nodes({ proposals: [proposal] }), 'Optimizer');
    expect(asked).toMatchObject({ description: 'not known', icon: 'question' });
    expect(asked.tooltip).toContain('No file tells the learning rate.');
  });

  it('offers to set a proposal up, and tells how to mend what is missing', () => {
    const shown = nodes({ proposals: [proposal] });
    expect(shown[0]).toMatchObject({ label: 'other', description: 'not set up', context: 'proposal' });
    expect(find(shown, 'Set Up This Workspace')).toMatchObject({ context: 'setUp', config: proposal.config });
    expect(find(shown, 'There is no log.')).toMatchObject({ description: 'Say the learning rate.', icon: 'warning' });
    expect(foundMessage([proposal, proposal], english)).toBe('Found 2 training runs that are not set up yet.');
    expect(foundMessage([proposal], english)).toBe('Found 2 checkpoints (steps 10–2,000), no ONNX model.');
  });

  it('shows a run that cannot be read by its problems alone', () => {
    const problems = [{ severity: 'error', message: 'Segments must be a number.', file: run.config }] as const;
    const broken = { ...run, model: '', checkpoints: [], splits: [], segments: [], optimizer: '', problems };
    const [root] = nodes({ runs: [broken] });
    expect(labels(root)).toEqual(['Problems']);
    expect(find([root as RunNode], 'Segments must be a number.').file).toBe(run.config);
  });

  it('leaves room for the welcome where nothing was found, but not over something wrong', () => {
    const info = { severity: 'info', message: 'No checkpoints found.' } as const;
    const error = { severity: 'error', message: 'A folder cannot be read.' } as const;
    expect(nodes({ problems: [info] })).toEqual([]);
    expect(nodes({ problems: [info, error] }).map(({ label }) => label)).toEqual([error.message]);
    expect(nodes({ proposals: [proposal], problems: [info] }).at(-1)?.label).toBe(info.message);
  });

  it('gives every row an id of its own', () => {
    const twice = { ...run, config: '/ws/run2/whence.json' };
    const ids = all(nodes({ runs: [run, twice], proposals: [proposal] })).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
