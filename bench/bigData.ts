import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { range } from '../src/engine/network/examples';
import type { DatasetConfig } from '../src/formats/dataset';
import { openDataset } from '../src/formats/datasets';
import { nodeFiles } from '../src/worker/nodeFiles';
import { columns, labelOf, valuesOf, writeCsv, writeJsonl, writeTables } from './bigDataFiles';
import { output } from './children';

/**
 * Generates ten million rows of JSON Lines, CSV, Parquet and Arrow (the last two by PyArrow, of the Python that PYTHON names),
 * opens each in a process of its own, jumps to the last row and reads batches there, and prints seconds and peak memory.
 * `node tools/run.mjs bench/bigData.ts [ROWS] [FORMAT ...]`.
 */
const [first, ...rest] = process.argv.slice(2);
const formats = ['jsonl', 'csv', 'parquet', 'arrow'] as const;
type Format = (typeof formats)[number];

if (first === '--child') await measure(rest[0] as Format, rest[1]!, Number(rest[2]));
else
  await compare(Number(first ?? 10_000_000), rest.length > 0 ? formats.filter((name) => rest.includes(name)) : formats);

interface Figures {
  /** Before anything was read, and at most. */
  readonly idleMegabytes: number;
  readonly peakMegabytes: number;
  readonly openSeconds: number;
  /** Of the processor, which other programs do not add to. */
  readonly openProcessorSeconds: number;
  readonly jumpMilliseconds: number;
  readonly batchMilliseconds: number;
}

async function compare(rows: number, wanted: readonly Format[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'whence-big-data-'));
  try {
    if (wanted.includes('jsonl')) await writeJsonl(join(folder, 'rows.jsonl'), rows);
    if (wanted.includes('csv')) await writeCsv(join(folder, 'rows.csv'), rows);
    const hasTables = wanted.some((name) => name === 'parquet' || name === 'arrow') && writeTables(folder, rows);
    console.log(`${rows} rows; a jump reads and shows row ${rows - 1}, a batch 256 rows in the middle`);
    const head = ['MB', 'open s', 'of CPU s', 'jump ms', 'batch ms', 'peak MB', 'idle MB'];
    console.log(`${''.padEnd(8)}${head.map((name) => name.padStart(10)).join('')}`);
    for (const format of wanted) {
      if ((format === 'parquet' || format === 'arrow') && !hasTables) {
        console.log(`${format.padEnd(8)} left out: no Python has pyarrow (set PYTHON)`);
        continue;
      }
      const path = join(folder, `rows.${format}`);
      const child = ['tools/run.mjs', 'bench/bigData.ts', '--child', format, path, `${rows}`];
      const figures = JSON.parse(await output(process.execPath, child)) as Figures;
      const row = [
        ((await stat(path)).size / 2 ** 20).toFixed(0),
        figures.openSeconds.toFixed(1),
        figures.openProcessorSeconds.toFixed(1),
        figures.jumpMilliseconds.toFixed(1),
        figures.batchMilliseconds.toFixed(1),
        figures.peakMegabytes.toFixed(0),
        figures.idleMegabytes.toFixed(0),
      ];
      console.log(`${format.padEnd(8)}${row.map((value) => value.padStart(10)).join('')}`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(format: Format, path: string, rows: number): Promise<void> {
  const idleMegabytes = process.resourceUsage().maxRSS / 1024;
  const config: DatasetConfig = { format, file: path, features: [...columns] };
  const before = process.cpuUsage();
  const began = performance.now();
  const dataset = await openDataset(config, '/', nodeFiles());
  const opened = performance.now();
  const { user, system } = process.cpuUsage(before);
  const last = await dataset.batch([rows - 1]);
  await dataset.preview(rows - 1);
  const jumped = performance.now();
  const middle = Math.floor(rows / 2);
  await dataset.batch(range(middle, Math.min(rows, middle + 256)));
  const read = performance.now();
  const place = dataset.locate(rows - 1);
  const expected = valuesOf(rows - 1).map(Math.fround);
  const isRight =
    dataset.length === rows &&
    [...last.inputs].every((value, index) => value === expected[index]) &&
    last.labels[0] === labelOf(rows - 1) &&
    (place.line ?? place.row) === rows + (format === 'csv' ? 1 : 0);
  if (!isRight) throw new Error(`${format}: the last row is not what was written: ${[...last.inputs]}`);
  const figures: Figures = {
    idleMegabytes,
    peakMegabytes: process.resourceUsage().maxRSS / 1024,
    openSeconds: (opened - began) / 1000,
    openProcessorSeconds: (user + system) / 1e6,
    jumpMilliseconds: jumped - opened,
    batchMilliseconds: read - jumped,
  };
  console.log(JSON.stringify(figures));
}
