/** What a split's configuration says beside its format. Paths are relative to `whence.json`. */
interface DatasetConfigs {
  readonly idx: { readonly images: string; readonly labels?: string };
  readonly csv: { readonly file: string; readonly label?: string; readonly features?: readonly string[] };
  readonly jsonl: RecordConfig & { readonly file: string };
  /** Arrays of features and of labels, a file each. */
  readonly npy: { readonly file: string; readonly labels?: string };
  /** A plain text: an example a line, or blocks of the tokens of all lines or of the whole. */
  readonly text: {
    readonly file: string;
    readonly examples?: 'lines' | 'blocks' | 'blocks-of-lines';
    readonly blockLength?: number;
    readonly lineBreaks?: boolean;
  };
  /** One archive of arrays; `features` and `label` are their names. */
  readonly npz: { readonly file: string; readonly features?: string; readonly label?: string };
  readonly parquet: RecordConfig & PartsConfig;
  readonly arrow: RecordConfig & PartsConfig;
  /** Batches of CIFAR-10 or CIFAR-100; `label` is that of the latter. */
  readonly cifar: PartsConfig & { readonly label?: 'fine' | 'coarse' };
  /** Pictures in files of their own, in a folder for each class or named in a table of labels. */
  readonly images: { readonly folder: string; readonly labels?: string; readonly label?: string };
}

interface RecordConfig {
  readonly label?: string;
  readonly features?: string | readonly string[];
}

interface PartsConfig {
  /** A file, or the parts of the split in their order. */
  readonly file: string | readonly string[];
}

export type DatasetFormatName = keyof DatasetConfigs;

/** Where a split's examples are, for one format or any. */
export type DatasetConfig<F extends DatasetFormatName = DatasetFormatName> = {
  [P in F]: { readonly format: P } & DatasetConfigs[P];
}[F];
