import { link, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { datasetState, openDataset } from '../src/formats/datasets';
import { decodePicture } from '../src/formats/images';
import { preparePicture } from '../src/formats/images/prepare';
import { preparedDataset } from '../src/formats/prepared';
import { nodeFiles } from '../src/worker/nodeFiles';

/**
 * `node tools/run.mjs bench/pictures.ts [EXAMPLES]`: how long a folder of so many pictures (default 100,000, in 100 classes)
 * takes to open, to be told from another state and to give a batch; and how fast pictures are decoded and resized.
 */
const examples = Number(process.argv[2] ?? 100_000);
const classes = 100;
const fixture = (name: string) => fileURLToPath(new URL(`../../test/fixtures/images/${name}`, import.meta.url));
const files = nodeFiles();

const folder = await mkdtemp(join(tmpdir(), 'whence-pictures-'));
try {
  await fill(folder);
  const config = { format: 'images', folder } as const;
  const dataset = await timed('open', () => openDataset(config, folder, files));
  console.log(`${dataset.length} pictures, ${dataset.classes?.length} classes`);
  await timed('state', () => datasetState(config, folder, files));
  const prepared = preparedDataset(dataset, { resize: 32, crop: 32 });
  const spread = Array.from({ length: 128 }, (_, index) => Math.floor((index * dataset.length) / 128));
  await timed('batch of 128, spread', () => prepared.batch(spread));
  console.log(`memory ${Math.round(process.memoryUsage().rss / 2 ** 20)} MB`);
} finally {
  await rm(folder, { recursive: true });
}

for (const name of ['china-420.jpg', 'flower-420-progressive.jpg', 'china.png']) {
  const bytes = new Uint8Array(await readFile(fixture(name)));
  const { width, height } = decodePicture(bytes, name);
  rate(`decode ${name}`, width * height, () => decodePicture(bytes, name));
}
const picture = decodePicture(new Uint8Array(await readFile(fixture('china-420.jpg'))), '');
rate('resize to 48, cut 41', picture.width * picture.height, () => preparePicture(picture, { resize: 48, crop: 41 }));

async function fill(into: string): Promise<void> {
  const bytes = await readFile(fixture('tiny-17x33.jpg'));
  for (let one = 0; one < classes; one++) {
    const own = join(into, String(one).padStart(3, '0'));
    await mkdir(own);
    const first = join(own, '0.jpg');
    await writeFile(first, bytes);
    const count = Math.floor(examples / classes);
    await Promise.all(Array.from({ length: count - 1 }, (_, index) => link(first, join(own, `${index + 1}.jpg`))));
  }
}

async function timed<T>(what: string, act: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await act();
  console.log(`${what}: ${((performance.now() - start) / 1000).toFixed(2)} s`);
  return result;
}

function rate(what: string, pixels: number, act: () => unknown): void {
  for (let warm = 0; warm < 20; warm++) act();
  const start = performance.now();
  const rounds = 200;
  for (let round = 0; round < rounds; round++) act();
  const seconds = (performance.now() - start) / 1000;
  console.log(`${what}: ${((pixels * rounds) / seconds / 1e6).toFixed(1)} million pixels a second`);
}
