import type { DirectMethod } from '../method';

/**
 * The derivative of the measurement in an example's weight in training's loss, through every step of the real run: what SOURCE
 * approximates (Bae et al. 2024, section 3). Training is replayed from its initial weights with its own batches, and differentiated
 * backwards step by step, so it is for networks and runs whose weights of all steps fit into memory.
 */
export const exactUnrolling: DirectMethod = { name: 'exact-unrolling', tellsOwn: false };
