import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { findPython } from './python';

/** Columns of the generated rows, whose values follow from the row's number. */
export const columns = ['a', 'b', 'c'] as const;

export function valuesOf(row: number): readonly [a: number, b: number, c: number] {
  return [(row % 97) / 8, (row % 31) / 4, row % 7];
}

export function labelOf(row: number): number {
  return row % 10;
}

export async function writeJsonl(path: string, rows: number): Promise<void> {
  await writeLines(path, rows, (row) => {
    const [a, b, c] = valuesOf(row);
    return `{"id": ${row}, "a": ${a}, "b": ${b}, "c": ${c}, "label": ${labelOf(row)}}`;
  });
}

export async function writeCsv(path: string, rows: number): Promise<void> {
  await writeLines(path, rows, (row) => [...valuesOf(row), labelOf(row)].join(','), `${columns.join(',')},label`);
}

async function writeLines(path: string, rows: number, line: (row: number) => string, header?: string): Promise<void> {
  const out = createWriteStream(path);
  let text = header === undefined ? '' : `${header}\n`;
  for (let row = 0; row < rows; row++) {
    text += `${line(row)}\n`;
    if (text.length < 2 ** 20) continue;
    if (!out.write(text)) await once(out, 'drain');
    text = '';
  }
  out.end(text);
  await once(out, 'finish');
}

const script = `
import sys
import pyarrow as pa, pyarrow.parquet as pq, numpy as np
folder, rows = sys.argv[1], int(sys.argv[2])
i = np.arange(rows)
columns = {"a": (i % 97 / 8).astype("f4"), "b": (i % 31 / 4).astype("f4"), "c": (i % 7).astype("f8"), "label": i % 10}
table = pa.table(columns)
pq.write_table(table, folder + "/rows.parquet")
with pa.ipc.new_stream(folder + "/rows.arrow", table.schema) as writer:
    writer.write_table(table, max_chunksize=10000)
`;

/** Writes `rows.parquet` and `rows.arrow` with PyArrow; false where no Python has it. */
export function writeTables(folder: string, rows: number): boolean {
  const python = findPython(['pyarrow', 'numpy']);
  if (python === undefined) return false;
  const { status } = spawnSync(python, ['-c', script, folder, `${rows}`], { stdio: 'inherit' });
  return status === 0;
}
