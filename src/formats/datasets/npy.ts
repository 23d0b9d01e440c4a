import type { ByteSource } from '../bytes';
import type { Dataset } from '../dataset';
import { arrayDataset } from './arrayDataset';
import { noLabels } from './labels';
import { openNpyRows, readNpyLabels } from './npyRows';

export { isNpy } from '../npy';

/**
 * Rows of one NumPy array with the labels of another: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
 * Fails with `malformed-file` where there are not as many labels, with `unsupported-dtype` for objects and structures.
 */
export async function openNpyDataset(
  source: ByteSource,
  labelSource?: ByteSource,
  classes?: readonly string[],
): Promise<Dataset> {
  const rows = await openNpyRows(source);
  const labels = labelSource
    ? await readNpyLabels(labelSource, rows.count, source.path, classes)
    : noLabels(rows.count);
  if (!labelSource) return arrayDataset('npy', [source.path], rows, labels);
  return { ...arrayDataset('npy', [source.path, labelSource.path], rows, labels), labelFile: labelSource.path };
}
