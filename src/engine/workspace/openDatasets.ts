import type { Files } from '../../formats/bytes';
import type { Dataset } from '../../formats/dataset';

interface Known {
  readonly state: string;
  readonly dataset: Promise<Dataset>;
}

/** Data sets that stay open: the index and labels of one may take 100 MB. */
const most = 2;

/** The data sets that were looked at last, so that a page or line of a large one is read without opening it anew. */
export class OpenDatasets {
  private readonly known = new Map<string, Known>();

  constructor(private readonly files: Files) {}

  /**
   * @param name of the data set; `paths` are all files that it is read from: after a change of any it is opened again
   */
  async get(name: string, paths: readonly string[], open: () => Promise<Dataset>): Promise<Dataset> {
    const stamps = await Promise.all(paths.map((path) => this.files.stamp(path)));
    const state = [...paths, ...stamps].join('\n');
    const known = this.known.get(name);
    this.known.delete(name);
    const own = known?.state === state ? known : { state, dataset: open() };
    this.known.set(name, own);
    // What failed to open is tried anew: the user will have mended it.
    own.dataset.catch(() => {
      if (this.known.get(name) === own) this.known.delete(name);
    });
    const [oldest] = this.known.keys();
    if (this.known.size > most && oldest !== undefined) this.known.delete(oldest);
    return own.dataset;
  }
}
