import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildSync } from 'esbuild';

const root = join(import.meta.dirname, '../..');

/**
 * A program for a process of its own, which finds onnxruntime in a `node_modules` beside it.
 * @param contents TypeScript that imports as if it lay in the repository's root
 */
export function bundle(outfile: string, contents: string): URL {
  const stdin = { contents, resolveDir: root, loader: 'ts' as const };
  buildSync({ stdin, bundle: true, platform: 'node', format: 'esm', external: ['onnxruntime-node'], outfile });
  return pathToFileURL(outfile);
}
