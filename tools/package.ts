import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Makes `whence-<platform>.vsix` of what `npm run build` left in dist/, with the onnxruntime binaries of this platform
 * only (the package holds those of all). Returns its path.
 */
export async function packageExtension(root: string): Promise<string> {
  const target = `${process.platform}-${process.arch}`;
  const vsix = join(root, `whence-${target}.vsix`);
  const runtime = join(root, 'dist', 'node_modules');
  try {
    await layRuntime(root, runtime);
    await writeFile(join(root, 'dist', 'THIRD-PARTY-NOTICES.txt'), await notices(root));
    const vsce = join(root, 'node_modules', '@vscode', 'vsce', 'vsce');
    // The README's picture travels in the package: there is no public address to rewrite it to.
    const readme = ['--no-rewrite-relative-links', '--allow-missing-repository'];
    const options = ['--no-dependencies', ...readme, '--target', target, '--out', vsix];
    await run(process.execPath, [vsce, 'package', ...options], { cwd: root });
  } finally {
    // Left in place it would shadow node_modules for dist/*.mjs.
    await rm(runtime, { recursive: true, force: true });
  }
  return vsix;
}

async function layRuntime(root: string, into: string): Promise<void> {
  const from = join(root, 'node_modules');
  const binaries = join('onnxruntime-node', 'bin', 'napi-v6', process.platform, process.arch);
  if (!existsSync(join(from, binaries))) {
    throw new Error(`onnxruntime-node has no binary for ${process.platform}-${process.arch}.`);
  }
  await rm(into, { recursive: true, force: true });
  await mkdir(into, { recursive: true });
  const parts = [
    binaries,
    'onnxruntime-node/package.json',
    'onnxruntime-node/dist',
    // Where its CUDA libraries are to be had.
    'onnxruntime-node/script/install-metadata.js',
    'onnxruntime-node/script/install-metadata-versions.js',
    'onnxruntime-common/package.json',
    'onnxruntime-common/dist/cjs',
  ];
  // Set up on this machine for CUDA, the package would grow by a gigabyte.
  const needless = /\.(d\.ts|map)$|onnxruntime_providers_/;
  for (const part of parts) {
    await cp(join(from, part), join(into, part), { recursive: true, filter: (file) => !needless.test(file) });
  }
}

/** The licence texts of every package that goes into a bundle. */
async function notices(root: string): Promise<string> {
  const lock: { packages: Record<string, { dev?: boolean; version?: string; license?: string }> } = JSON.parse(
    await readFile(join(root, 'package-lock.json'), 'utf8'),
  );
  const parts = [await readFile(join(root, 'media', 'eigh.NOTICE.md'), 'utf8')];
  for (const [path, { dev, version, license }] of Object.entries(lock.packages)) {
    if (!path || dev) continue;
    const name = path.replace(/^.*node_modules\//, '');
    const texts = ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'License.txt', 'LICENCE', 'license'];
    const file = texts.map((text) => join(root, path, text)).find((text) => existsSync(text));
    parts.push(`${name} ${version} (${license})\n\n${file ? await readFile(file, 'utf8') : ''}`);
  }
  return parts.join(`\n${'-'.repeat(80)}\n\n`);
}

if (process.argv[1]?.endsWith('package.ts')) {
  const vsix = await packageExtension(process.cwd());
  console.log(`${vsix} ${((await stat(vsix)).size / 1e6).toFixed(1)} MB`);
}
