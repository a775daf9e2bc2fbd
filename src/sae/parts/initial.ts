/** Initial weights: seeded per parameter, so that adding a parameter changes no other. */
import { Random } from '../../core/random.ts';
import { normalizeRows } from '../../core/rows.ts';

/** Rows drawn from a normal distribution and divided by their norm: [rows, cols]. */
export function unitRows(rows: number, cols: number, seed: number, name: string): Float32Array {
  const random = new Random(seed, 'init', name);
  const out = new Float32Array(rows * cols);
  for (let i = 0; i < out.length; i++) out[i] = random.normal();
  normalizeRows(out, cols);
  return out;
}

/** U(−limit, limit). */
export function uniform(count: number, limit: number, seed: number, name: string): Float32Array {
  const random = new Random(seed, 'init', name);
  return Float32Array.from({ length: count }, () => limit * (2 * random.uniform() - 1));
}
