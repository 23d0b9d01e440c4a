import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { setupGpu } from '../../../src/cli/commands/setupGpu';
import type { CallOptions, Handlers, RemoteApi } from '../../../src/protocol/connection';
import type { GpuApi } from '../../../src/protocol/gpuApi';
import { gpuSetUp } from '../../../src/worker/gpu/gpuSetUp';
import { failure } from '../../support/failure';
import { type PackageServer, servePackage } from '../../support/packageServer';

/** The command on the real set-up, in a folder that stands for a machine and with a server that stands for the index. */

const root = join(import.meta.dirname, '../../..');
let place = '';
let folder = '';
let server: PackageServer;
beforeEach(async () => {
  place = mkdtempSync(join(tmpdir(), 'whence-setup-'));
  const own = join(place, 'node_modules/onnxruntime-node');
  folder = join(own, 'bin/napi-v6/linux/x64');
  mkdirSync(folder, { recursive: true });
  for (const part of ['package.json', 'script']) {
    cpSync(join(root, 'node_modules/onnxruntime-node', part), join(own, part), { recursive: true });
  }
  mkdirSync(join(place, 'cuda'));
  const libraries = ['libcudart.so.12', 'libcublas.so.12', 'libcublasLt.so.12', 'libcufft.so.11', 'libcurand.so.10'];
  for (const file of [...libraries, 'libcudnn.so.9', 'libcuda.so.1']) writeFileSync(join(place, 'cuda', file), '');
  const bytes = readFileSync(join(root, 'test/fixtures/gpu/provider.zip'));
  server = await servePackage('Microsoft.ML.OnnxRuntime.Gpu.Linux', '1.30.0', bytes);
});
afterEach(async () => {
  await server.close();
  rmSync(place, { recursive: true });
});

function set(options: { readonly yes?: boolean; readonly cuda?: readonly string[] }) {
  const program = pathToFileURL(join(place, 'worker.mjs'));
  const env = { PATH: join(place, 'bin') };
  const gpu = gpuSetUp({ program, platform: 'linux', architecture: 'x64', env, root: place });
  const lines: string[] = [];
  const add = (text: string) => lines.push(text);
  const session = { call: {}, print: add, say: add };
  return { lines, done: setupGpu(session, remoteOf(gpu), { source: server.index, ...options }) };
}

/** The handlers without the wire between. */
function remoteOf(handlers: Handlers<GpuApi>): RemoteApi<GpuApi> {
  const context = ({ onProgress }: CallOptions = {}) => ({
    signal: new AbortController().signal,
    progress: onProgress ?? (() => undefined),
  });
  return {
    look: (request, options) => handlers.look(request, context(options)),
    describe: (request, options) => handlers.describe(request, context(options)),
    install: (request, options) => handlers.install(request, context(options)),
    verify: (request, options) => handlers.verify(request, context(options)),
  };
}

const downloads = () => server.asked.filter((request) => request.startsWith('GET') && request.endsWith('.nupkg'));

test('downloads nothing where something is missing, and says what', async () => {
  const { lines, done } = set({ yes: true });
  expect(await done).toBe(false);
  const text = lines.join('\n');
  expect(text).toMatch(/CUDA 12 +missing +no libcudart\.so\.12/);
  expect(text).toMatch(/cuDNN 9 +missing/);
  expect(text).toContain('Nothing is downloaded');
  expect(server.asked).toEqual([]);
});

test('says what, how much and from where before it asks, and downloads nothing where nobody can answer', async () => {
  const { lines, done } = set({ cuda: [join(place, 'cuda')] });
  const error = await failure(done);
  expect(error.code).toBe('bad-argument');
  expect(error.details.mend).toContain('--yes');
  const text = lines.join('\n');
  expect(text).toMatch(/To be downloaded: \d+ MB from http.*\.nupkg/);
  expect(text).toContain('SHA-512');
  expect(text).toContain(folder);
  expect(downloads()).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
});

test('with consent it downloads, tries the device and says how it went', async () => {
  const { lines, done } = set({ yes: true, cuda: [join(place, 'cuda')] });
  // What was installed is no library, and there is no worker to try it in.
  expect(await done).toBe(false);
  expect(downloads()).toHaveLength(1);
  expect(readdirSync(folder).sort()).toEqual([
    'libonnxruntime_providers_cuda.so',
    'libonnxruntime_providers_shared.so',
  ]);
  expect(lines.at(-1)).toMatch(/^CUDA does not work: /);
  const again = set({ yes: true, cuda: [join(place, 'cuda')] });
  expect(await again.done).toBe(false);
  expect(again.lines.join('\n')).toMatch(/onnxruntime 1\.30\.0's libraries +found/);
  expect(downloads()).toHaveLength(1);
});
