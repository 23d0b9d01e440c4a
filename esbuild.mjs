// Builds what runs into dist/: the extension host's part, the worker and its eigensolver thread, the command line, the webview.
// `--watch` rebuilds on every change.

import { copyFile, mkdir, stat } from 'node:fs/promises';
import { context } from 'esbuild';

/** ES modules have no `require`, which CommonJS packages in a bundle call; some others import `createRequire` themselves. */
const requireBanner =
  "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);";

const common = { bundle: true, logLevel: 'warning', metafile: true, sourcemap: false };
const node = { ...common, platform: 'node', target: 'node20', external: ['onnxruntime-node', 'vscode'] };
const module = { ...node, format: 'esm', banner: { js: requireBanner }, mainFields: ['module', 'main'] };

const bundles = [
  { ...node, format: 'cjs', entryPoints: ['src/extension/extension.ts'], outfile: 'dist/extension.cjs' },
  { ...module, entryPoints: ['src/worker/main.ts'], outfile: 'dist/worker.mjs' },
  { ...module, entryPoints: ['src/worker/eigenThread.ts'], outfile: 'dist/eigenThread.mjs' },
  {
    ...module,
    entryPoints: ['src/cli/main.ts'],
    outfile: 'dist/cli.mjs',
    banner: { js: `#!/usr/bin/env node\n${requireBanner}` },
  },
  {
    ...common,
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    minify: true,
    entryPoints: ['webview/main.ts'],
    outfile: 'dist/webview/main.js',
  },
];

await mkdir('dist', { recursive: true });
await copyFile('media/eigh.wasm', 'dist/eigh.wasm');

const contexts = await Promise.all(bundles.map((options) => context(options)));
// esbuild has said what is wrong by then.
const results = await Promise.all(contexts.map((bundle) => bundle.rebuild())).catch(() => process.exit(1));
for (const { metafile } of results) {
  for (const [file, { bytes }] of Object.entries(metafile.outputs)) print(file, bytes);
}
print('dist/eigh.wasm', (await stat('dist/eigh.wasm')).size);

if (process.argv.includes('--watch')) {
  await Promise.all(contexts.map((bundle) => bundle.watch()));
  console.log('watching');
} else {
  await Promise.all(contexts.map((bundle) => bundle.dispose()));
}

function print(file, bytes) {
  console.log(`${file.padEnd(24)}${(bytes / 1024).toFixed(0).padStart(6)} kB`);
}
