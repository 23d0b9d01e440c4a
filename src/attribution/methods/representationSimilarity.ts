import type { DirectMethod } from '../method';

/**
 * The cosine of two representations: what the last layer is given at the last checkpoint, averaged over positions. From -1 to 1,
 * without units, and positive where two examples look alike to the model. It knows neither label nor measurement, so an
 * example of another class that looks alike counts as towards too; a baseline (Hanawa et al. 2021).
 */
export const representationSimilarity: DirectMethod = { name: 'representation-similarity', tellsOwn: false };
