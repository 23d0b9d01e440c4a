import type { Preview } from '../../protocol/model';
import type { Dataset, ExampleArray } from '../dataset';
import { elementCount } from '../tensor';
import { checkIndices } from './indices';

/** A text file's examples, parsed: `features` row-major [length, ...featureDims]; lines count from 1. */
export interface Table {
  readonly format: string;
  readonly file: string;
  readonly featureDims: readonly number[];
  readonly features: Float32Array;
  readonly labels: Float64Array;
  readonly arrays?: readonly ExampleArray[];
  readonly tokenLabels?: string;
  readonly classes?: readonly string[];
  firstLine(index: number): number;
  lastLine(index: number): number;
  preview(index: number): Promise<Preview>;
}

export function tableDataset(table: Table): Dataset {
  const { file, featureDims, features, labels } = table;
  const size = elementCount(featureDims);
  return {
    format: table.format,
    files: [file],
    length: labels.length,
    featureDims,
    labels,
    ...(table.arrays ? { arrays: table.arrays } : {}),
    ...(table.tokenLabels === undefined ? {} : { tokenLabels: table.tokenLabels }),
    ...(table.classes ? { classes: table.classes } : {}),
    async batch(indices) {
      checkIndices(indices, labels.length, file);
      const inputs = new Float32Array(indices.length * size);
      for (let row = 0; row < indices.length; row++) {
        const from = indices[row]! * size;
        inputs.set(features.subarray(from, from + size), row * size);
      }
      return { inputs, labels: Float64Array.from(indices, (index) => labels[index]!) };
    },
    async preview(index) {
      checkIndices([index], labels.length, file);
      return table.preview(index);
    },
    locate: (index) => ({ file, index, line: table.firstLine(index) }),
    indexAtLine(line) {
      let low = 0;
      let high = labels.length - 1;
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (table.firstLine(middle) <= line) low = middle;
        else high = middle - 1;
      }
      return table.firstLine(low) <= line && line <= table.lastLine(low) ? low : undefined;
    },
  };
}
