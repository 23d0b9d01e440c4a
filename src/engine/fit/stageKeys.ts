import type { Site } from '../../curvature/site';
import type { OpenRun } from '../run/openRun';
import type { StageKey } from '../store';

/** Names of the stages that are kept a site at a time, so that no call has to hold those of all sites at once. */
export class StageKeys {
  private readonly ids: readonly string[];

  constructor(
    private readonly run: OpenRun,
    sites: readonly Site[],
    private readonly hashText: (text: string) => string,
  ) {
    // A convolution's groups share one weight: the n-th of its sites is the n-th group.
    this.ids = sites.map(({ weight }, index) => {
      const before = sites.slice(0, index).filter((site) => site.weight === weight).length;
      return JSON.stringify([weight, before]);
    });
  }

  covariances(checkpoint: number, site: number): Promise<StageKey> {
    return this.key('covariances', [checkpoint], site);
  }

  moments(checkpoint: number, site: number): Promise<StageKey> {
    return this.key('moments', [checkpoint], site);
  }

  /** @param coordinates a hash of them; undefined for the parameters' own */
  eigenvalues(checkpoints: readonly number[], coordinates: string | undefined, site: number): Promise<StageKey> {
    return this.key('eigenvalues', checkpoints, site, coordinates);
  }

  private async key(
    kind: StageKey['kind'],
    checkpoints: readonly number[],
    site: number,
    more?: string,
  ): Promise<StageKey> {
    const hash = await this.run.hash(kind, checkpoints, more);
    return { kind, hash: this.hashText(`${hash}\n${this.ids[site]}`) };
  }
}
