import { fileURLToPath } from 'node:url';

/** Folder of small checkpoints, each by the library that people use. */
export const checkpointFixtures = fileURLToPath(new URL('../../../fixtures/checkpoints/', import.meta.url));
