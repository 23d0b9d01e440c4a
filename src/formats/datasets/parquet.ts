import type { ByteSource } from '../bytes';
import type { Dataset } from '../dataset';
import { openParquet } from './parquetFile';
import type { RecordKeys } from './recordKeys';
import { recordsDataset } from './records';
import { tableRecords } from './tableRecords';

/** Rows of one or more Parquet files of the same columns; see `recordsDataset`. */
export async function openParquetDataset(
  sources: readonly ByteSource[],
  keys: RecordKeys = {},
  classes?: readonly string[],
): Promise<Dataset> {
  const parts = await Promise.all(sources.map(openParquet));
  return recordsDataset(await tableRecords('parquet', parts), keys, classes);
}
