import { readdir } from 'node:fs/promises';
import type { Handlers } from '../../protocol/connection';
import { WhenceError } from '../../protocol/errors';
import type { GpuApi, GpuReport, GpuVerdict } from '../../protocol/gpuApi';
import { tryProvider } from '../providers';
import { findCuda } from './cudaLibraries';
import { install } from './install';
import { describePackage } from './packageIndex';
import { type CudaPackage, type ProviderPackage, readProviderPackage } from './providerPackage';
import { deviceTrial } from './trial';

export interface GpuSetUpOptions {
  /** The bundled worker: its onnxruntime-node is meant, and it is started anew to try the device. */
  readonly program: URL;
  readonly platform?: string;
  readonly architecture?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Put before the system's own folders. */
  readonly root?: string;
}

export function gpuSetUp(options: GpuSetUpOptions): Handlers<GpuApi> {
  const { program, platform = process.platform, architecture = process.arch, env = process.env, root = '' } = options;
  const provider = () => readProviderPackage(program, platform, architecture);
  const needed = (): CudaPackage => {
    const { cuda, ...rest } = provider();
    if (cuda) return cuda;
    throw new WhenceError('provider-unavailable', withoutCuda(rest, platform, architecture));
  };

  return {
    async look({ folders }): Promise<GpuReport> {
      const { version, folder, cuda, platforms } = provider();
      if (!cuda) {
        const unsupported = withoutCuda({ version, platforms }, platform, architecture);
        return { version, unsupported, parts: [], folder, installed: false, libraryFolders: [] };
      }
      const present = await readdir(folder).catch((): string[] => []);
      const installed = cuda.files.every(({ name }) => present.includes(name));
      return { version, folder, installed, ...(await findCuda({ env, folders, root })) };
    },

    async describe({ source }) {
      return describePackage(needed(), source || undefined);
    },

    async install(download, context) {
      // Only what onnxruntime itself looks for is written, whatever the caller asks.
      const { files } = needed();
      await install({ ...download, files }, provider().folder, context);
      return null;
    },

    async verify({ folders }): Promise<GpuVerdict> {
      const { usable, faster, reason } = await tryProvider(deviceTrial(), 'cuda', { program, libraryFolders: folders });
      // So small a graph tells nothing about speed.
      return { works: usable, reason: usable && !faster ? reason.replace('right but slower', 'right') : reason };
    },
  };
}

function withoutCuda(
  { version, platforms }: Pick<ProviderPackage, 'version' | 'platforms'>,
  platform: string,
  architecture: string,
) {
  const instead: Readonly<Record<string, string>> = {
    win32: ' DirectML and WebGPU need nothing but a graphics driver.',
    darwin: ' Core ML and WebGPU need nothing.',
    linux: ' WebGPU needs nothing but a Vulkan driver.',
  };
  return `onnxruntime-node ${version} has CUDA for ${platforms.join(', ')} only, and this is ${platform}/${architecture}.${instead[platform] ?? ''}`;
}
