/** Checkpoints over which a curvature is averaged. */
export interface CurvatureGroup {
  readonly checkpoints: readonly number[];
  /** Whether in the optimizer's own coordinates, with its weight decay, rather than the parameters'. */
  readonly dynamics: boolean;
  /** Whether factors should hold what the optimizer does element by element; not together with `dynamics`. */
  readonly elements?: boolean;
}

/** Tells the groups of a run apart. */
export function groupId({ checkpoints, dynamics }: CurvatureGroup): string {
  return `${checkpoints.join()}${dynamics ? ' under the optimizer' : ''}`;
}
