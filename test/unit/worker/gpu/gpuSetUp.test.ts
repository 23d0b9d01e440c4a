import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CallContext } from '../../../../src/protocol/connection';
import type { GpuDownload } from '../../../../src/protocol/gpuApi';
import type { Progress } from '../../../../src/protocol/model';
import { gpuSetUp } from '../../../../src/worker/gpu/gpuSetUp';
import { failure } from '../../../support/failure';
import { type Fault, type PackageServer, servePackage } from '../../../support/packageServer';

const root = join(import.meta.dirname, '../../../..');
const packed = readFileSync(join(root, 'test/fixtures/gpu/provider.zip'));
const metadata = join(root, 'node_modules/onnxruntime-node');
const libraries = ['libonnxruntime_providers_cuda.so', 'libonnxruntime_providers_shared.so'];

let place = '';
let server: PackageServer | undefined;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'whence-gpu-'));
  loaderKnows([]);
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  rmSync(place, { recursive: true });
});

/** Puts an `ldconfig` first on the path that knows these files, and nothing of the machine that tests run on. */
function loaderKnows(files: readonly string[]): void {
  const lines = files.map((file) => `\t${basename(file)} (libc6,x86-64) => ${file}`);
  mkdirSync(join(place, 'bin'), { recursive: true });
  const script = `#!/bin/sh\n[ "$1" = -p ] && /bin/cat <<'END'\n${lines.length} libs found\n${lines.join('\n')}\nEND\n`;
  writeFileSync(join(place, 'bin/ldconfig'), script, { mode: 0o755 });
}

/** onnxruntime-node as installed in `place`, with its real metadata, and what sets it up. */
function installed(platform = 'linux', architecture = 'x64') {
  const own = join(place, 'node_modules/onnxruntime-node');
  const folder = join(own, 'bin/napi-v6', platform, architecture);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'libonnxruntime.so.1'), 'the runtime');
  cpSync(join(metadata, 'package.json'), join(own, 'package.json'));
  cpSync(join(metadata, 'script'), join(own, 'script'), { recursive: true });
  const program = pathToFileURL(join(place, 'worker.mjs'));
  const env = { PATH: join(place, 'bin') };
  return { folder, own, gpu: gpuSetUp({ program, platform, architecture, env, root: place }) };
}

function context(signal = new AbortController().signal): CallContext & { readonly seen: Progress[] } {
  const seen: Progress[] = [];
  return { signal, seen, progress: (progress) => seen.push(progress) };
}

async function serve(fault?: Fault): Promise<string> {
  const { name, version } = { name: 'Microsoft.ML.OnnxRuntime.Gpu.Linux', version: '1.30.0' };
  server = await servePackage(name, version, packed, fault);
  return server.index;
}

describe('the description of a download', () => {
  test("names source, size and hash of the package that onnxruntime-node's own metadata names", async () => {
    const { gpu } = installed();
    const source = await serve();
    const described = await gpu.describe({ source }, context());
    const [host] = source.split('/index.json');
    expect(described.url).toBe(
      `${host}/flat/microsoft.ml.onnxruntime.gpu.linux/1.30.0/microsoft.ml.onnxruntime.gpu.linux.1.30.0.nupkg`,
    );
    expect(described.bytes).toBe(packed.length);
    expect(described.sha512).toHaveLength(88);
    expect(described.files.map(({ name }) => name).sort()).toEqual(libraries);
    expect(server?.asked.some((request) => request.startsWith('GET') && request.endsWith('.nupkg'))).toBe(false);
  });

  test('does without a hash where the index keeps none', async () => {
    const { gpu } = installed();
    const described = await gpu.describe({ source: await serve('without a hash') }, context());
    expect(described).not.toHaveProperty('sha512');
  });

  test('fails where nothing answers, and where the package is not there', async () => {
    const { gpu } = installed();
    const missing = await failure(gpu.describe({ source: await serve('missing') }, context()));
    expect(missing).toMatchObject({ code: 'provider-unavailable' });
    expect(missing.message).toContain('404');
    await server?.close();
    const silent = await failure(gpu.describe({ source: server?.index ?? '' }, context()));
    expect(silent.code).toBe('provider-unavailable');
    expect(silent.message).toContain('cannot be reached');
    expect(silent.details.mend).toContain('mirror');
  });
});

describe('the download', () => {
  test('puts the libraries of the package in place, byte for byte, and nothing else', async () => {
    const { folder, gpu } = installed();
    const download = await gpu.describe({ source: await serve() }, context());
    const calls = context();
    await gpu.install(download, calls);
    expect(readdirSync(folder).sort()).toEqual(['libonnxruntime.so.1', ...libraries].sort());
    expect(readFileSync(join(folder, libraries[0]!), 'latin1')).toBe('\x7fELF provider for CUDA\n'.repeat(400));
    expect(readFileSync(join(folder, libraries[1]!))).toEqual(
      Buffer.from(Array.from({ length: 2048 }, (_, at) => at % 256)),
    );
    expect(calls.seen.some(({ done, total }) => done === packed.length && total === packed.length)).toBe(true);
    expect((await gpu.look({ folders: [] }, context())).installed).toBe(true);
  });

  const faults = [
    ['cut short', 'provider-unavailable', 'broke off'],
    ['altered', 'malformed-file', 'hash'],
    ['too long', 'malformed-file', 'larger'],
    ['missing', 'provider-unavailable', '404'],
  ] as const;
  test.each(faults)('leaves nothing behind when it is %s', async (fault, code, words) => {
    const { folder, gpu } = installed();
    const good = await gpu.describe({ source: await serve() }, context());
    await server?.close();
    const bad = await serve(fault);
    const download: GpuDownload = { ...good, url: good.url.replace(/^http:\/\/[^/]*/, bad.replace('/index.json', '')) };
    const error = await failure(gpu.install(download, context()));
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
    expect(readdirSync(folder)).toEqual(['libonnxruntime.so.1']);
  });

  test("without a hash, the files' own checksums are held against them", async () => {
    const { folder, gpu } = installed();
    const { sha512, ...download } = await gpu.describe({ source: await serve('altered') }, context());
    expect(sha512).toBeDefined();
    const error = await failure(gpu.install(download, context()));
    expect(error.code).toBe('malformed-file');
    expect(error.details.place).toContain('libonnxruntime_providers_cuda.so');
    expect(readdirSync(folder)).toEqual(['libonnxruntime.so.1']);
  });

  test('stops when it is cancelled, and clears up what a killed one has left', async () => {
    const { folder, gpu } = installed();
    const download = await gpu.describe({ source: await serve() }, context());
    mkdirSync(join(folder, '.whence-download-left'));
    server!.stalled = true;
    const cancel = new AbortController();
    const calls = { ...context(cancel.signal), progress: () => cancel.abort() };
    expect((await failure(gpu.install(download, calls))).code).toBe('cancelled');
    expect(readdirSync(folder)).toEqual(['libonnxruntime.so.1']);
  });
});

describe('what is there', () => {
  const toolkit = ['libcudart.so.12', 'libcublas.so.12', 'libcublasLt.so.12', 'libcufft.so.11', 'libcurand.so.10'];
  const put = (folder: string, files: readonly string[]) => {
    mkdirSync(join(place, folder), { recursive: true });
    for (const file of files) writeFileSync(join(place, folder, file), '');
    return join(place, folder);
  };

  test('a toolkit in its usual place, cuDNN where the user says, and a driver by its version', async () => {
    const { gpu } = installed();
    const cuda = put('usr/local/cuda-12.4/lib64', toolkit);
    const cudnn = put('home/cudnn', ['libcudnn.so.9']);
    put('proc/driver/nvidia', []);
    const banner = 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 2024';
    writeFileSync(join(place, 'proc/driver/nvidia/version'), banner);
    const report = await gpu.look({ folders: [cudnn] }, context());
    expect(report.parts).toEqual([
      { name: 'NVIDIA driver', found: true, detail: 'version 550.54.14' },
      { name: 'CUDA 12', found: true, detail: cuda },
      { name: 'cuDNN 9', found: true, detail: cudnn },
    ]);
    expect(report.libraryFolders).toEqual([cuda, cudnn]);
    expect(report).toMatchObject({ version: '1.30.0', installed: false });
  });

  test('what PyTorch brought by pip, and the compiler on PATH', async () => {
    const { own } = installed();
    const nvidia = 'venv/lib/python3.12/site-packages/nvidia';
    const [first = '', ...rest] = toolkit;
    const folders = [put(`${nvidia}/cublas/lib`, rest), put(`${nvidia}/cudnn/lib`, ['libcudnn.so.9'])];
    put('opt/toolkit/bin', ['nvcc']);
    folders.push(put('opt/toolkit/lib64', [first]));
    const env = { PATH: `${join(place, 'bin')}:${join(place, 'opt/toolkit/bin')}`, VIRTUAL_ENV: join(place, 'venv') };
    const program = pathToFileURL(join(own, 'worker.mjs'));
    const gpu = gpuSetUp({ program, platform: 'linux', architecture: 'x64', env, root: place });
    const report = await gpu.look({ folders: [] }, context());
    expect(report.parts.map(({ found }) => found)).toEqual([false, true, true]);
    expect([...report.libraryFolders].sort()).toEqual(folders.sort());
  });

  test('what the loader knows needs no folder', async () => {
    const { gpu } = installed();
    const folder = put('lib', [...toolkit, 'libcudnn.so.9', 'libcuda.so.1']);
    loaderKnows([...toolkit, 'libcudnn.so.9', 'libcuda.so.1'].map((file) => join(folder, file)));
    const { parts, libraryFolders } = await gpu.look({ folders: [] }, context());
    expect(parts.map(({ found, detail }) => [found, detail])).toEqual([
      [true, `libcuda.so.1 in ${folder}`],
      [true, folder],
      [true, folder],
    ]);
    expect(libraryFolders).toEqual([]);
  });

  test('says what is missing, which other version is there, and how to mend it', async () => {
    const { gpu } = installed();
    const other = put('usr/local/cuda-13.0/lib64', ['libcudart.so.13', 'libcublas.so.13']);
    put('proc/driver/nvidia', []);
    const banner = 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.57.02  Tue Jul 13 2021';
    writeFileSync(join(place, 'proc/driver/nvidia/version'), banner);
    const { parts, libraryFolders } = await gpu.look({ folders: [] }, context());
    expect(parts.map(({ found }) => found)).toEqual([false, false, false]);
    const [driver, cuda, cudnn] = parts;
    expect(driver?.detail).toContain('470.57.02 is too old');
    expect(cuda?.detail).toContain(`there is ${join(other, 'libcudart.so.13')}`);
    expect(cudnn?.detail).toBe('no libcudnn.so.9');
    for (const { mend } of parts) expect(mend).toMatch(/^Install/);
    expect(libraryFolders).toEqual([]);
  });

  test.each([
    ['win32', 'x64', 'DirectML'],
    ['darwin', 'arm64', 'Core ML'],
    ['linux', 'arm64', 'WebGPU'],
  ])('on %s %s it says that CUDA cannot be had, and what can', async (platform, architecture, instead) => {
    const { gpu } = installed(platform, architecture);
    const report = await gpu.look({ folders: [] }, context());
    expect(report.unsupported).toContain('CUDA for linux/x64 only');
    expect(report.unsupported).toContain(instead);
    expect((await failure(gpu.describe({}, context()))).code).toBe('provider-unavailable');
    expect(existsSync(join(report.folder, libraries[0]!))).toBe(false);
  });
});
