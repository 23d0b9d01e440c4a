import { readdirSync, readFileSync } from 'node:fs';
import { join, posix, sep } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

/** The folders that each folder may import from, besides itself: all that stand below it. */
const engineLayers = ['protocol', 'onnx', 'formats', 'autodiff', 'curvature', 'attribution', 'engine'];
const arrows: Readonly<Record<string, readonly string[]>> = {
  'src/protocol': [],
  'src/onnx': below('onnx', ['formats']),
  'src/formats': below('formats'),
  'src/autodiff': below('autodiff'),
  'src/curvature': below('curvature'),
  'src/attribution': below('attribution'),
  'src/engine': below('engine'),
  'src/worker': engineLayers.map((layer) => `src/${layer}`),
  'src/cli': [...engineLayers, 'worker'].map((layer) => `src/${layer}`),
  'src/extension': ['src/protocol'],
  webview: ['src/protocol'],
};

/** Packages that only these files or folders may import: each stands behind one door. */
const doors: Readonly<Record<string, RegExp>> = {
  'onnxruntime-node': /^src\/worker\/session\.ts$/,
  '@vscode/webview-ui-toolkit': /^webview\/ui\.ts$/,
  vscode: /^src\/extension\//,
  'vscode-jsonrpc': /^(src\/protocol\/|src\/(worker|extension|cli)\/[^/]*$|webview\/[^/]*$)/,
  '@bufbuild/protobuf': /^src\/onnx\//,
  commander: /^src\/cli\//,
  d3: /^webview\//,
};

const longest = 260;

interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string;
  readonly layer: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const files = [...read('src'), ...read('webview')];

test('every folder of the source has its place in the layers', () => {
  const unknown = files.filter(({ layer }) => !(layer in arrows)).map(({ path }) => path);
  expect(unknown.filter((path) => path !== 'src/platform.d.ts')).toEqual([]);
  expect(files.length).toBeGreaterThan(40);
});

describe.each(Object.keys(arrows))('%s', (layer) => {
  const own = files.filter((file) => file.layer === layer);

  test('imports only from layers below it', () => {
    const allowed = [layer, ...(arrows[layer] ?? [])];
    const wrong = own.flatMap(({ path, imports }) =>
      imports
        .filter((name) => name.startsWith('.'))
        .map((name) => posix.join(posix.dirname(path), name))
        .filter((target) => !allowed.some((folder) => target.startsWith(`${folder}/`)))
        .map((target) => `${path} -> ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('imports each guarded package through its one door', () => {
    const wrong = own.flatMap(({ path, imports }) =>
      imports
        .filter((name) => Object.entries(doors).some(([guarded, door]) => belongsTo(name, guarded) && !door.test(path)))
        .map((name) => `${path} -> ${name}`),
    );
    expect(wrong).toEqual([]);
  });
});

test(`no file is longer than ${longest} lines`, () => {
  const long = files
    .filter(({ path }) => !generated(path))
    .map(({ path, text }) => [path, text.split('\n').length - 1]);
  expect(long.filter(([, lines]) => Number(lines) > longest)).toEqual([]);
});

test('no type is talked out of its checks', () => {
  const wrong = files
    .filter(({ path }) => !generated(path))
    .flatMap(({ path, text }) => escapes(path, text).map((place) => `${path}:${place}`));
  expect(wrong).toEqual([]);
});

function below(layer: string, siblings: readonly string[] = []): readonly string[] {
  return engineLayers
    .slice(0, engineLayers.indexOf(layer))
    .filter((name) => !siblings.includes(name))
    .map((name) => `src/${name}`);
}

function read(folder: string): readonly SourceFile[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => {
      const path = join(folder, name).split(sep).join('/');
      const text = readFileSync(path, 'utf8');
      const imports = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
      return {
        path,
        layer: path
          .split('/')
          .slice(0, folder === 'src' ? 2 : 1)
          .join('/'),
        text,
        imports,
      };
    });
}

function belongsTo(name: string, guarded: string): boolean {
  return name === guarded || name.startsWith(`${guarded}/`);
}

function generated(path: string): boolean {
  return path.startsWith('src/onnx/proto/');
}

/** Lines where a file says `any`, `as unknown as`, or silences a checker. */
function escapes(path: string, text: string): readonly string[] {
  const places: string[] = [];
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, false);
  const note = (node: ts.Node, what: string) =>
    places.push(`${source.getLineAndCharacterOfPosition(node.pos).line + 1} ${what}`);
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) note(node, 'any');
    if (ts.isAsExpression(node) && ts.isAsExpression(node.expression)) {
      if (node.expression.type.kind === ts.SyntaxKind.UnknownKeyword) note(node, 'as unknown as');
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  for (const [index, line] of text.split('\n').entries()) {
    if (/@ts-(ignore|expect-error|nocheck)|biome-ignore/.test(line)) places.push(`${index + 1} silenced check`);
  }
  return places;
}
