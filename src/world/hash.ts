/** Hashes of a few whole numbers, for choices that are properties of the world and not of a document. */

/** Uniform in [0, 1), a pure function of the numbers and their order. */
export function hashNumbers(...numbers: readonly number[]): number {
  let state = 0x5bd1e995;
  for (const number of numbers) state = absorb(state, number);
  return finish(state);
}

/** One step of MurmurHash3. */
export function absorb(state: number, value: number): number {
  let x = Math.imul(value, 0xcc9e2d51);
  x = (x << 15) | (x >>> 17);
  x = state ^ Math.imul(x, 0x1b873593);
  return (Math.imul((x << 13) | (x >>> 19), 5) + 0xe6546b64) | 0;
}

/** The hash of an absorbed state, in [0, 1). */
export function finish(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return ((x ^ (x >>> 16)) >>> 0) / 0x100000000;
}
