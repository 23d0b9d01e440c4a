import type { ByteSource } from '../bytes';
import type { Dataset } from '../dataset';
import { openArrow } from './arrowFile';
import type { RecordKeys } from './recordKeys';
import { recordsDataset } from './records';
import { tableRecords } from './tableRecords';

/** Rows of one or more Arrow files or streams of the same columns; see `recordsDataset`. */
export async function openArrowDataset(
  sources: readonly ByteSource[],
  keys: RecordKeys = {},
  classes?: readonly string[],
): Promise<Dataset> {
  const parts = await Promise.all(sources.map(openArrow));
  return recordsDataset(await tableRecords('arrow', parts), keys, classes);
}
