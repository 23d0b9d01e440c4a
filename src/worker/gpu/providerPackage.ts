import { createRequire as loaderOf } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod/mini';
import { WhenceError } from '../../protocol/errors';

/** onnxruntime-node as installed here, and the CUDA libraries that its own install script would add to it. */
export interface ProviderPackage {
  readonly version: string;
  /** Where the provider's libraries have to lie. */
  readonly folder: string;
  /** Undefined where the package has no CUDA for this platform. */
  readonly cuda: CudaPackage | undefined;
  /** Platforms with CUDA, for a sentence. */
  readonly platforms: readonly string[];
}

export interface CudaPackage {
  readonly name: string;
  readonly version: string;
  /** Address of the package index. */
  readonly index: string;
  readonly files: readonly { readonly path: string; readonly name: string }[];
}

/** The part of onnxruntime-node's `script/install-metadata.js` that is read here. */
const metadataSchema = z.object({
  requirements: z.record(z.string(), z.array(z.string())),
  manifests: z.record(z.string(), z.record(z.string(), z.object({ package: z.string(), path: z.string() }))),
  packages: z.record(
    z.string(),
    z.object({ name: z.string(), versions: z.array(z.object({ feed: z.string(), version: z.string() })) }),
  ),
  feeds: z.record(z.string(), z.object({ type: z.string(), index: z.string() })),
});
type Metadata = z.infer<typeof metadataSchema>;

const manifest = 'cuda12';

/**
 * @param from a module whose packages are meant: the worker's bundle
 * @throws WhenceError `unsupported-format` where the package describes its downloads in another way than it used to
 */
export function readProviderPackage(from: string | URL, platform: string, architecture: string): ProviderPackage {
  const load = loaderOf(from);
  const root = dirname(load.resolve('onnxruntime-node/package.json'));
  const { version } = z.object({ version: z.string() }).parse(load('onnxruntime-node/package.json'));
  const file = join(root, 'script', 'install-metadata.js');
  const read = metadataSchema.safeParse(load(file));
  if (!read.success) {
    throw new WhenceError(
      'unsupported-format',
      `onnxruntime-node ${version} does not say where its CUDA libraries are.`,
      {
        file,
        mend: "Run that package's own install script: npm rebuild onnxruntime-node --onnxruntime-node-install=cuda12",
      },
    );
  }
  const { requirements } = read.data;
  return {
    version,
    folder: join(root, 'bin', 'napi-v6', platform, architecture),
    cuda: cudaPackage(read.data, `${platform}/${architecture}`),
    platforms: Object.keys(requirements).filter((name) => requirements[name]?.includes(manifest)),
  };
}

function cudaPackage({ manifests, packages, feeds }: Metadata, platform: string): CudaPackage | undefined {
  const entries = Object.entries(manifests[`${platform}:${manifest}`] ?? {});
  // TensorRT's provider serves an execution provider that is not used here.
  const files = entries.filter(([name]) => !name.includes('tensorrt'));
  const described = packages[files[0]?.[1].package ?? ''];
  const [release] = described?.versions ?? [];
  const feed = feeds[release?.feed ?? ''];
  if (!described || !release || feed?.type !== 'nuget') return undefined;
  return {
    name: described.name,
    version: release.version,
    index: feed.index,
    files: files.map(([name, { path }]) => ({ path, name: name.replace(/^.*\//, '') })),
  };
}
