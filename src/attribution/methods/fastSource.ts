import type { Method } from '../method';
import { source } from './source';

/**
 * FAST-SOURCE (Bae et al. 2024, section 3.3): SOURCE with one evaluation a segment, of gradients and curvature at the mean of
 * the weights of the segment's checkpoints, in place of a mean of evaluations at each.
 */
export const fastSource: Method = { ...source, name: 'fast-source', averaged: true };
