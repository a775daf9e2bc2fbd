/** Random numbers that cost next to nothing, so that what is measured is not them. */

/** Uniform in [0, 1), by a hash of the integer 2n. */
export function unit(n) {
  let h = Math.imul(Math.floor(2 * n) + 1, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  return ((h ^ (h >>> 13)) >>> 0) / 2 ** 32;
}

/** Uniform in [−1, 1). */
export const noise = (n) => 2 * unit(n) - 1;
