import { findNodeAtLocation, type Node, parseTree } from 'jsonc-parser';
import type { Files } from '../formats/bytes';
import { resolvePath } from '../formats/datasets';
import { toErrorData } from '../protocol/errors';
import type { Problem } from '../protocol/model';
import { parseConfig } from './config';
import { openConfig } from './openRun';

/**
 * Problems of a `whence.json` text, each with its range: what the text says wrongly, and where that is sound, the first
 * thing about its files that keeps the run from being read.
 */
export async function validateText(path: string, text: string, files: Files): Promise<readonly Problem[]> {
  const { config, problems } = parseConfig(text, path);
  if (!config) return problems;
  try {
    await openConfig(config, path, files);
    return problems;
  } catch (error) {
    const { message, details } = toErrorData(error);
    const { file, place, mend } = details;
    const root = parseTree(text, undefined, { allowTrailingComma: true });
    const node = root && (namingNode(root, file, files.dirname(path), files) ?? keyNode(root, place));
    const elsewhere = file !== undefined && file !== path ? `${files.relative(files.dirname(path), file)}: ` : '';
    const where = place === undefined ? '' : ` (${place})`;
    return [
      ...problems,
      {
        severity: 'error',
        message: `${elsewhere}${message}${where}`,
        file: path,
        ...(mend === undefined ? {} : { mend }),
        range: node ? { offset: node.offset, length: node.length } : { offset: 0, length: 1 },
      },
    ];
  }
}

/** The text that names a file; a pattern names every file that it begins like. */
function namingNode(node: Node, file: string | undefined, folder: string, files: Files): Node | undefined {
  if (file === undefined) return undefined;
  if (node.type === 'string') {
    const [head, tail] = resolvePath(folder, node.value as string, files).split('*') as [string, string?];
    const isNamed = tail === undefined ? head === file : file.startsWith(head) && file.endsWith(tail);
    return isNamed ? node : undefined;
  }
  for (const child of node.children ?? []) {
    // A property's first child is its key, which names nothing.
    const values = child.type === 'property' ? child.children!.slice(1) : [child];
    for (const value of values) {
      const found = namingNode(value, file, folder, files);
      if (found) return found;
    }
  }
  return undefined;
}

function keyNode(root: Node, place: string | undefined): Node | undefined {
  return place === undefined ? undefined : findNodeAtLocation(root, place.split('.'));
}
