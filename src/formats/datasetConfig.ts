/** What a split's configuration says beside its format. Paths are relative to `whence.json`. */
interface DatasetConfigs {
  readonly idx: { readonly images: string; readonly labels?: string };
  readonly csv: { readonly file: string; readonly label?: string; readonly features?: readonly string[] };
  readonly jsonl: RecordConfig & { readonly file: string };
  /** Arrays of features and of labels, a file each. */
  readonly npy: { readonly file: string; readonly labels?: string };
  /** Pictures in files of their own, in a folder for each class or named in a table of labels. */
  readonly images: { readonly folder: string; readonly labels?: string; readonly label?: string };
}

interface RecordConfig {
  readonly label?: string;
  readonly features?: string | readonly string[];
}

export type DatasetFormatName = keyof DatasetConfigs;

/** Where a split's examples are, for one format or any. */
export type DatasetConfig<F extends DatasetFormatName = DatasetFormatName> = {
  [P in F]: { readonly format: P } & DatasetConfigs[P];
}[F];
