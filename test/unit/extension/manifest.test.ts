import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

interface Manifest {
  readonly contributes: {
    readonly commands: readonly { readonly command: string }[];
    readonly menus: Readonly<Record<string, readonly { readonly command: string }[]>>;
    readonly keybindings: readonly { readonly command: string }[];
    readonly views: Readonly<Record<string, readonly { readonly id: string }[]>>;
    readonly configuration: { readonly properties: Readonly<Record<string, unknown>> };
  };
}

const root = join(import.meta.dirname, '..', '..', '..');
const text = readFileSync(join(root, 'package.json'), 'utf8');
const manifest: Manifest = JSON.parse(text);
const strings: Readonly<Record<string, string>> = JSON.parse(readFileSync(join(root, 'package.nls.json'), 'utf8'));
const sources = readdirSync(join(root, 'src', 'extension'))
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(join(root, 'src', 'extension', name), 'utf8'))
  .join('\n');
const commands = manifest.contributes.commands.map(({ command }) => command);

it('has a string for every placeholder and uses every string', () => {
  const used = [...text.matchAll(/"%([\w.]+)%"/g)].map(([, key]) => key);
  expect([...new Set(used)].sort()).toEqual(Object.keys(strings).sort());
});

it('declares exactly the commands that the extension registers', () => {
  const registered = [...sources.matchAll(/\bregister(?:<[^(]*>)?\(\s*'(\w+)'/g)].map(([, name]) => `whence.${name}`);
  expect(registered.sort()).toEqual([...commands].sort());
});

it('has menus, keys, welcome texts and code that name declared commands, views and settings only', () => {
  const { menus, keybindings, views, configuration } = manifest.contributes;
  const named = [...Object.values(menus).flat(), ...keybindings].map(({ command }) => command);
  const linked = Object.values(strings).flatMap((one) =>
    [...one.matchAll(/command:(whence\.\w+)\)/g)].map(([, to]) => to),
  );
  expect(commands).toEqual(expect.arrayContaining([...named, ...linked]));
  const viewIds = Object.values(views)
    .flat()
    .map(({ id }) => id);
  for (const id of viewIds) expect(sources).toContain(`'${id}'`);
  for (const setting of Object.keys(configuration.properties)) {
    expect(sources).toContain(`configuration.get('${setting.replace('whence.', '')}'`);
  }
});
