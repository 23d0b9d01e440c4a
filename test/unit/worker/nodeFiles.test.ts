import { spawnSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WhenceError } from '../../../src/protocol/errors';
import { nodeFiles } from '../../../src/worker/nodeFiles';

const files = nodeFiles();
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whence-files-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function failure(promise: Promise<unknown>): Promise<WhenceError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof WhenceError) return error;
  throw new Error(`expected a WhenceError, got ${String(error)}`);
}

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => i % 251);

/** A program that does `code` with `path`, its argument, in a process with other rights or limits; `tell` prints an error. */
function program(name: string, code: string): string {
  const outfile = join(folder, `${name}.mjs`);
  const contents = `import { nodeFiles } from './src/worker/nodeFiles';
    const [, , path] = process.argv;
    const tell = (error) => console.log(error.code, error.details.file === path);
    ${code}`;
  const stdin = { contents, resolveDir: join(import.meta.dirname, '../../..'), loader: 'ts' as const };
  buildSync({ stdin, bundle: true, platform: 'node', format: 'esm', outfile });
  return outfile;
}

describe('reading', () => {
  it('reads ranges exactly, side by side', async () => {
    const path = join(folder, 'plain.bin');
    await writeFile(path, bytes(10_000));
    const source = await files.open(path);
    expect(source.size).toBe(10_000);
    const reads = await Promise.all([0, 17, 9_990].map((offset) => source.read(offset, 10)));
    expect(reads.map((read) => [...read])).toEqual(
      [0, 17, 9_990].map((at) => [...bytes(10_000).subarray(at, at + 10)]),
    );
    expect(await source.read(10_000, 0)).toHaveLength(0);
  });

  it('opens far more files than it keeps handles', async () => {
    const many = join(folder, 'many');
    await mkdir(many);
    const sources = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        await writeFile(join(many, `${i}`), Uint8Array.of(i));
        return files.open(join(many, `${i}`));
      }),
    );
    const read = await Promise.all(sources.map((source) => source.read(0, 1)));
    expect(read.map((part) => part[0])).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  it('refuses to read past the end, naming file and byte', async () => {
    const path = join(folder, 'short.bin');
    await writeFile(path, bytes(8));
    const source = await files.open(path);
    const error = await failure(source.read(4, 5));
    expect(error.code).toBe('truncated-file');
    expect(error.details).toMatchObject({ file: path, place: 'byte 8' });
    expect((await failure(source.read(-1, 2))).code).toBe('bad-argument');
    expect((await failure(source.read(Number.NaN, 2))).code).toBe('bad-argument');
  });

  it('never mixes an old and a new file under one path', async () => {
    const path = join(folder, 'replaced.bin');
    await writeFile(path, bytes(4));
    const before = await files.open(path);
    await before.read(0, 1);
    await writeFile(`${path}.new`, Uint8Array.of(9, 9, 9, 9));
    await rename(`${path}.new`, path);
    const after = await files.open(path);
    expect([...(await after.read(0, 4))]).toEqual([9, 9, 9, 9]);
    expect([...(await before.read(0, 4))]).toEqual([0, 1, 2, 3]);
  });

  it('refuses a source whose file changed before its first read', async () => {
    const path = join(folder, 'changed.bin');
    await writeFile(path, bytes(4));
    const source = await files.open(path);
    await writeFile(path, bytes(5));
    expect((await failure(source.read(0, 4))).code).toBe('unreadable');
  });

  it('inflates .gz and hashes it as it lies on disk', async () => {
    const path = join(folder, 'images.gz');
    await writeFile(path, gzipSync(bytes(5_000)));
    const source = await files.open(path);
    expect(source.size).toBe(5_000);
    expect([...(await source.read(4_990, 10))]).toEqual([...bytes(5_000).subarray(4_990)]);
    expect(await files.hashFile(path)).toBe(files.hashBytes([new Uint8Array(await readFile(path))]));
  });

  it('hashes a file again once it has changed, be it of the same length', async () => {
    const path = join(folder, 'weights.bin');
    const hashOf = (content: Uint8Array) => files.hashBytes([content]);
    await writeFile(path, bytes(1_000));
    expect(await files.hashFile(path)).toBe(hashOf(bytes(1_000)));
    // By now the file counts as settled, and its hash is kept.
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect(await files.hashFile(path)).toBe(hashOf(bytes(1_000)));
    await writeFile(path, bytes(1_000).reverse());
    expect(await files.hashFile(path)).toBe(hashOf(bytes(1_000).reverse()));
  });

  it('refuses cut, damaged and exploding .gz files', async () => {
    const packed = gzipSync(bytes(100_000));
    const at = async (name: string, content: Uint8Array) => {
      await writeFile(join(folder, name), content);
      return join(folder, name);
    };
    const cut = await failure(files.open(await at('cut.gz', packed.subarray(0, packed.length - 20))));
    const damaged = await failure(files.open(await at('damaged.gz', bytes(100))));
    const bomb = await failure(nodeFiles(50_000).open(await at('bomb.gz', packed)));
    expect([cut.code, damaged.code, bomb.code]).toEqual(['truncated-file', 'malformed-file', 'malformed-file']);
    expect(bomb.message).toContain('50000');
    expect(bomb.details.file).toBe(join(folder, 'bomb.gz'));
  });

  it('tells missing from unreadable', async () => {
    const missing = join(folder, 'no', 'such');
    expect((await failure(files.open(missing))).code).toBe('not-found');
    expect((await failure(files.list(missing))).code).toBe('not-found');
    expect((await failure(files.hashFile(missing))).code).toBe('not-found');
    expect(await files.exists(missing)).toBe(false);
    const aFolder = await failure(files.open(folder));
    expect([aFolder.code, aFolder.details.file]).toEqual(['unreadable', folder]);
  });

  // Root may read everything, so root asks as somebody else.
  it.skipIf(process.platform === 'win32')('reports missing rights', async () => {
    const path = join(folder, 'locked.bin');
    await writeFile(path, bytes(4));
    await chmod(path, 0);
    await chmod(folder, 0o755);
    const built = program('open', "nodeFiles().open(path).then(() => console.log('opened'), tell);");
    const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const run = spawnSync(process.execPath, [built, path], { encoding: 'utf8', ...user });
    expect(run.stdout.trim()).toBe('unreadable true');
  });

  it('lists in order of names, follows links and leaves out dead ones', async () => {
    const place = join(folder, 'listed');
    await mkdir(join(place, 'b-folder'), { recursive: true });
    await writeFile(join(place, 'c'), bytes(3));
    await symlink(join(place, 'c'), join(place, 'a-link'));
    await symlink(join(place, 'nowhere'), join(place, 'dead'));
    const entries = await files.list(place);
    expect(entries.map(({ name, kind, size }) => [name, kind, size])).toEqual([
      ['a-link', 'file', 3],
      ['b-folder', 'folder', 0],
      ['c', 'file', 3],
    ]);
  });
});

describe('writing', () => {
  it('makes parents, replaces whole files and leaves nothing beside', async () => {
    const path = join(folder, 'deep', 'er', 'out.bin');
    await files.write(path, [bytes(3)]);
    async function* chunks() {
      yield bytes(100_000);
      yield new Uint8Array(0);
      yield bytes(2);
    }
    await files.write(path, chunks());
    const written = await readFile(path);
    expect(files.hashBytes([written])).toBe(files.hashBytes([bytes(100_000), bytes(2)]));
    expect(await readdir(join(folder, 'deep', 'er'))).toEqual(['out.bin']);
    await files.remove(path);
    await files.remove(path);
    expect(await files.exists(path)).toBe(false);
  });

  it('keeps the old content when the chunks fail midway', async () => {
    const path = join(folder, 'kept', 'out.bin');
    await files.write(path, [bytes(3)]);
    async function* chunks() {
      yield bytes(10);
      throw new WhenceError('cancelled', 'Cancelled.');
    }
    expect((await failure(files.write(path, chunks()))).code).toBe('cancelled');
    expect(await readdir(join(folder, 'kept'))).toEqual(['out.bin']);
    expect(await readFile(path)).toHaveLength(3);
  });

  // A limit on file sizes fails as a full disk does, and needs no rights to set up.
  it.skipIf(process.platform === 'win32')('reports a full disk and removes the half-written file', async () => {
    const write = "nodeFiles().write(path, [new Uint8Array(300_000)]).then(() => console.log('written'), tell);";
    const built = program('write', write);
    const place = join(folder, 'full');
    const command = 'ulimit -f 100; exec "$0" "$1" "$2"';
    const run = spawnSync('bash', ['-c', command, process.execPath, built, join(place, 'out.bin')], {
      encoding: 'utf8',
    });
    expect(run.stdout.trim()).toBe('disk-full true');
    expect(await readdir(place)).toEqual([]);
  });
});

it('speaks of paths with forward slashes', () => {
  expect(files.relative(join(folder, 'a'), join(folder, 'b', 'c'))).toBe('../b/c');
  expect(files.basename(files.join('x', 'y.bin'))).toBe('y.bin');
});
