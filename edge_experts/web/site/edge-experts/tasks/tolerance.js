/** Largest difference of scores: integer kernels of different processors differ in the last bits. */
export const SCORE_TOLERANCE = 0.05;
