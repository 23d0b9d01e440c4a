import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../../../src/onnx/runtime';
import { WhenceError } from '../../../src/protocol/errors';
import { largestDifference } from '../../../src/worker/measureProvider';
import { acceptedDifference, candidates, chooseProvider, type DeviceGraph } from '../../../src/worker/providers';
import { createRuntime } from '../../../src/worker/session';
import { bundle } from '../../support/bundle';

const root = join(import.meta.dirname, '../../..');
const model = new Uint8Array(readFileSync(join(root, 'sample/fashion-mnist/model.onnx')));
let folder = '';
let trial: DeviceGraph;

/** A program like the worker's that answers checks, or does what a bad driver does. */
const program = (name: string, code: string) => bundle(join(folder, `${name}.mjs`), code);

let checker: URL;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'whence-providers-'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  checker = program('check', "import { serveCheck } from './src/worker/checkProcess'; serveCheck();");
  const session = await createRuntime('cpu').createSession(model);
  const [input = ''] = session.inputs;
  await session.release();
  const data = Float32Array.from({ length: 32 * 784 }, (_, i) => Math.sin(i));
  for (const dims of [
    [32, 784],
    [32, 28, 28],
    [32, 1, 28, 28],
  ]) {
    const feeds = { [input]: { dtype: 'float32' as const, dims, data } };
    const probe = await createRuntime('cpu').createSession(model);
    const fits = await probe.run(feeds).then(
      () => true,
      () => false,
    );
    if (fits) trial = { graph: () => model, feeds };
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const driver = process.env.VK_ICD_FILENAMES;
afterEach(() => {
  if (driver === undefined) delete process.env.VK_ICD_FILENAMES;
  else process.env.VK_ICD_FILENAMES = driver;
});

async function failure(promise: Promise<unknown>): Promise<WhenceError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof WhenceError) return error;
  throw new Error(`expected a WhenceError, got ${String(error)}`);
}

describe('choosing a device', () => {
  it('asks nothing where the CPU is named', async () => {
    const nowhere = pathToFileURL(join(folder, 'missing.mjs'));
    const { runtime, reports } = await chooseProvider(trial, 'cpu', { program: nowhere });
    expect(runtime.provider).toBe('cpu');
    expect(reports).toEqual([{ provider: 'cpu', chosen: true, reason: 'It was asked for by name.' }]);
  });

  it('says for every candidate why it was taken or passed over', async () => {
    const { runtime, reports } = await chooseProvider(trial, 'auto', { program: checker });
    const tried = candidates(process.platform, process.arch);
    expect(reports.map(({ provider }) => provider).slice(0, -1)).toEqual(tried.slice(0, reports.length - 1));
    expect(reports.at(-1)?.provider).toBe('cpu');
    expect(reports.filter(({ chosen }) => chosen)).toEqual([expect.objectContaining({ provider: runtime.provider })]);
    for (const { reason } of reports) expect(reason.length).toBeGreaterThan(10);
  });

  it('refuses a named device that this onnxruntime lacks', async () => {
    const error = await failure(chooseProvider(trial, 'abacus', { program: checker }));
    expect(error.code).toBe('provider-unavailable');
    expect(error.message).toContain('abacus');
    expect(error.details.mend).toContain('"device"');
  });

  it.runIf(process.platform === 'linux' && process.arch === 'x64')('reports missing CUDA libraries', async () => {
    const present = existsSync(
      join(root, 'node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so'),
    );
    if (present) return;
    const error = await failure(chooseProvider(trial, 'cuda', { program: checker }));
    expect(error.code).toBe('provider-unavailable');
    expect(error.message).toContain('cuda cannot be used: It failed: its libraries are not installed.');
    expect(error.details.mend).toContain('Set Up GPU');
  });

  it('survives a device that crashes or hangs its process', async () => {
    const crash = program(
      'crash',
      "process.on('message', () => { console.error('driver: bad ioctl'); process.kill(process.pid, 'SIGSEGV'); });",
    );
    const crashed = await failure(chooseProvider(trial, 'webgpu', { program: crash }));
    expect(crashed.code).toBe('provider-unavailable');
    expect(crashed.message).toContain('SIGSEGV');
    expect(crashed.message).toContain('driver: bad ioctl');
    const hang = program('hang', "process.on('message', () => { for (;;); });");
    const hung = await failure(chooseProvider(trial, 'webgpu', { program: hang, timeoutMilliseconds: 500 }));
    expect(hung.message).toContain('no answer within 0.5 s');
  });

  const mesa = '/usr/share/vulkan/icd.d/lvp_icd.x86_64.json';
  it.runIf(existsSync(mesa))('reports a driver that is too old, or one that works, but never dies of it', async () => {
    process.env.VK_ICD_FILENAMES = mesa;
    const { runtime, reports } = await chooseProvider(trial, 'auto', { program: checker });
    expect(runtime.provider).toBe('cpu');
    expect(reports.find(({ provider }) => provider === 'webgpu')).toMatchObject({ chosen: false });
  });
});

describe('the comparison', () => {
  const tensor = (...values: number[]): Tensor => ({
    dtype: 'float32',
    dims: [values.length],
    data: Float32Array.from(values),
  });

  it('is relative to the largest value', () => {
    expect(largestDifference({ y: tensor(1, -100) }, { y: tensor(1.5, -100) })).toBeCloseTo(0.005, 6);
    expect(largestDifference({ y: tensor(1, Number.NaN) }, { y: tensor(1, Number.NaN) })).toBe(0);
  });

  it('never accepts NaN, another shape, a missing output or an output of nothing but integers', () => {
    const expected = { y: tensor(1, 2) };
    for (const actual of [{ y: tensor(1, Number.NaN) }, { y: tensor(1, 2, 3) }, {}]) {
      expect(largestDifference(expected, actual)).toBe(Number.POSITIVE_INFINITY);
    }
    expect(largestDifference({}, {})).toBeGreaterThan(acceptedDifference);
    expect(largestDifference({ y: tensor(0) }, { y: tensor(1e-9) })).toBe(Number.POSITIVE_INFINITY);
  });
});
