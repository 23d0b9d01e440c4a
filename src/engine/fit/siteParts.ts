import type { Site } from '../../curvature/site';
import type { Subject } from '../../curvature/subject';

/** Some of a run's sites, for which the model is run by itself where all sites together would not fit into memory. */
export interface SitePart {
  /** Tells parts of a run apart. */
  readonly name: string;
  /** Indices into the run's sites. */
  readonly indices: readonly number[];
  /** The run's graph with these sites alone: names of taps count from 0 here. */
  readonly subject: Subject;
}

/** Cuts sites, in their order, into parts that stay below every limit; a site that is too large by itself is a part of its own. */
export function cutSites(
  subject: Subject,
  indices: readonly number[],
  limits: readonly { readonly bytes: number; readonly of: (site: Site) => number }[],
): SitePart[] {
  const parts: number[][] = [];
  let sums = limits.map(() => 0);
  for (const index of indices) {
    const own = limits.map(({ of }) => of(subject.sites[index]!));
    const fits = limits.every(({ bytes }, i) => sums[i]! + own[i]! <= bytes);
    const open = parts.at(-1);
    if (open && fits) open.push(index);
    else parts.push([index]);
    sums = own.map((bytes, i) => (open && fits ? sums[i]! + bytes : bytes));
  }
  return parts.map((part) => partOf(subject, part));
}

/** The given sites as one part. */
export function partOf(subject: Subject, indices: readonly number[]): SitePart {
  if (indices.length === subject.sites.length) return { name: 'all sites', indices, subject };
  const sites = indices.map((index) => subject.sites[index]!);
  return { name: `sites ${indices.join()}`, indices, subject: { ...subject, sites } };
}
