import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BuildOptions, buildSync } from 'esbuild';

const root = join(import.meta.dirname, '../..');

/** As the product is bundled. */
const options: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  mainFields: ['module', 'main'],
  external: ['onnxruntime-node'],
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
};

/**
 * A program for a process of its own, which finds onnxruntime in a `node_modules` beside it.
 * @param contents TypeScript that imports as if it lay in the repository's root
 */
export function bundle(outfile: string, contents: string): URL {
  buildSync({ ...options, stdin: { contents, resolveDir: root, loader: 'ts' }, outfile });
  return pathToFileURL(outfile);
}

/** The same of a file of the repository. */
export function bundleFile(outfile: string, entry: string): URL {
  buildSync({ ...options, entryPoints: [join(root, entry)], outfile });
  return pathToFileURL(outfile);
}
