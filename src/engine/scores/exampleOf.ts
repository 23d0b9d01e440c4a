import type { Example, ExampleId } from '../../protocol/model';
import type { LoadedRun } from '../run/loadedRun';

/** An example with what can be shown of it. */
export async function exampleOf(loaded: LoadedRun, { split, index }: ExampleId): Promise<Example> {
  const { dataset } = loaded.examples(split);
  return {
    id: { split, index },
    label: dataset.labels[index]!,
    location: dataset.locate(index),
    preview: await dataset.preview(index),
  };
}
