import { execFile } from 'node:child_process';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { GpuPart } from '../../protocol/gpuApi';

/** Where to look. `root` is put before the system's own folders, for tests. */
export interface CudaSearch {
  readonly env: NodeJS.ProcessEnv;
  /** The user's own, looked into before all others. */
  readonly folders?: readonly string[];
  readonly root?: string;
}

export interface FoundCuda {
  readonly parts: readonly GpuPart[];
  /** Folders of what was found that the system's loader does not search by itself. */
  readonly libraryFolders: readonly string[];
}

/** What onnxruntime's provider for CUDA 12 is linked with. */
const cudaNames = ['libcudart.so.12', 'libcublas.so.12', 'libcublasLt.so.12', 'libcufft.so.11', 'libcurand.so.10'];
const cudnnNames = ['libcudnn.so.9'];
/** The first driver for Linux that runs programs of CUDA 12. */
const oldestDriver = 525;

/** Finds the driver, CUDA 12 and cuDNN 9 where the loader, the toolkit's installers, conda and pip put them. */
export async function findCuda(search: CudaSearch): Promise<FoundCuda> {
  const loader = await real([...paths(search.env.LD_LIBRARY_PATH), ...(await cachedFolders(search.env))]);
  const own = [...(search.folders ?? []), ...(await toolkitFolders(search)), ...(await pythonFolders(search))];
  const folders = await listed([...new Set([...loader, ...(await real(own))])]);
  const [toolkit, cudnn] = [
    libraries('CUDA 12', cudaNames, folders, 'Install the CUDA toolkit 12, or PyTorch for CUDA 12, which brings it.'),
    libraries('cuDNN 9', cudnnNames, folders, 'Install cuDNN 9 for CUDA 12, or PyTorch for CUDA 12, which brings it.'),
  ];
  const needed = new Set([...toolkit.folders, ...cudnn.folders]);
  return {
    parts: [await driver(search, folders), toolkit.part, cudnn.part],
    libraryFolders: [...needed].filter((folder) => !loader.includes(folder)),
  };
}

type Listing = ReadonlyMap<string, readonly string[]>;

async function driver({ root = '' }: CudaSearch, folders: Listing): Promise<GpuPart> {
  const name = 'NVIDIA driver';
  const text = await readFile(`${root}/proc/driver/nvidia/version`, 'utf8').catch(() => '');
  const version = /\s(\d+)\.[\d.]+\s/.exec(text)?.[0].trim();
  const mend = `Install NVIDIA's driver, ${oldestDriver} or newer.`;
  if (version && Number.parseInt(version, 10) < oldestDriver) {
    return { name, found: false, detail: `version ${version} is too old for CUDA 12`, mend };
  }
  const place = [...folders].find(([, files]) => files.includes('libcuda.so.1'))?.[0];
  if (version || place)
    return { name, found: true, detail: version ? `version ${version}` : `libcuda.so.1 in ${place}` };
  const detail = 'neither a loaded driver nor its library libcuda.so.1 was found';
  return { name, found: false, detail, mend: `${mend} Without an NVIDIA GPU there is nothing to set up.` };
}

/** Every name has to be in some folder; of other versions it is said that they are there. */
function libraries(name: string, names: readonly string[], folders: Listing, mend: string) {
  const places = names.map((file) => [...folders].find(([, files]) => files.includes(file))?.[0]);
  const found = [...new Set(places.filter((place) => place !== undefined))];
  const missing = names.filter((_, index) => places[index] === undefined);
  if (missing.length === 0) return { part: { name, found: true, detail: found.join(', ') }, folders: found };
  const [first = ''] = names;
  const stem = first.replace(/\d+$/, '');
  const others = [...folders].flatMap(([folder, files]) =>
    files
      .filter((file) => file.startsWith(stem) && /^\d+$/.test(file.slice(stem.length)))
      .map((file) => join(folder, file)),
  );
  const instead = others.length > 0 && missing.includes(first) ? ` (there is ${others.join(', ')})` : '';
  return { part: { name, found: false, detail: `no ${missing.join(', ')}${instead}`, mend }, folders: [] };
}

/** What `ldconfig` knows, by its folders. */
async function cachedFolders(env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  const PATH = [env.PATH, '/sbin', '/usr/sbin'].filter(Boolean).join(delimiter);
  const { stdout } = await promisify(execFile)('ldconfig', ['-p'], { env: { ...env, PATH }, maxBuffer: 2 ** 26 }).catch(
    () => ({ stdout: '' }),
  );
  return [...stdout.matchAll(/=> (\/.*)$/gm)].map(([, file]) => dirname(file!));
}

async function toolkitFolders({ env, root = '' }: CudaSearch): Promise<readonly string[]> {
  const local = (await names(`${root}/usr/local`)).filter((name) => name.startsWith('cuda'));
  const homes = [env.CUDA_PATH, env.CUDA_HOME, ...local.map((name) => `${root}/usr/local/${name}`)];
  // The compiler lies in the toolkit's bin.
  for (const folder of paths(env.PATH)) if ((await names(folder)).includes('nvcc')) homes.push(dirname(folder));
  const inside = ['lib64', 'lib', 'targets/x86_64-linux/lib'];
  const toolkits = homes.filter((home) => home !== undefined).flatMap((home) => inside.map((name) => join(home, name)));
  const fixed = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/wsl/lib', '/usr/local/nvidia/lib64'].map((name) => root + name);
  return [...toolkits, ...fixed];
}

/** conda's folder, and those of the packages that PyTorch for CUDA brings by pip. */
async function pythonFolders({ env }: CudaSearch): Promise<readonly string[]> {
  const homes = [env.CONDA_PREFIX, env.VIRTUAL_ENV]
    .filter((home) => home !== undefined)
    .map((home) => join(home, 'lib'));
  const packages: string[] = [];
  for (const home of homes) {
    for (const python of (await names(home)).filter((name) => name.startsWith('python3'))) {
      const nvidia = join(home, python, 'site-packages', 'nvidia');
      packages.push(...(await names(nvidia)).map((name) => join(nvidia, name, 'lib')));
    }
  }
  return [...homes, ...packages];
}

/** Toolkits link their folders to one another: each counts once. */
async function real(folders: readonly string[]): Promise<readonly string[]> {
  return Promise.all(folders.map((folder) => realpath(folder).catch(() => folder)));
}

async function listed(folders: readonly string[]): Promise<Listing> {
  const entries = await Promise.all(folders.map(async (folder) => [folder, await names(folder)] as const));
  return new Map(entries.filter(([, files]) => files.length > 0));
}

function paths(variable: string | undefined): readonly string[] {
  return (variable ?? '').split(delimiter).filter(Boolean);
}

async function names(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}
