/**
 * Linear probes for the firing of single latents (d*_c of Tree SAE, equation 5), from the model's own activations. Tree SAE trains them for
 * 50 epochs of Adam with both classes of equal weight; here the same objective with a small penalty is minimised to convergence, on some
 * of the rows.
 */
import { Random } from '../../core/random.ts';
import type { Firings } from '../../forest/firings.ts';
import type { HeldOutRows } from '../held-out-rows.ts';
import { fitProbe } from '../linear-probe.ts';

/** Rows in which the latent is active, at most. */
export const POSITIVES = 500;
/** Other rows; all probes draw from the same. */
export const NEGATIVES = 2000;
/** A direction needs no more than that. */
const TOLERANCE = 1e-4;
/** Values of activations that are held at once. */
const MAX_VALUES = 2 ** 24;

/**
 * Unit directions `[d]` by latent. Rows are read again for as many latents at once as fit.
 * @param latents that fire in some of the rows; no direction for one that is on at all rows that the negatives are drawn from
 */
export async function probeDirections(
  latents: readonly number[],
  firings: Firings,
  held: HeldOutRows,
  seed: number,
  onProgress: (done: number, total: number) => void,
): Promise<Map<number, Float64Array>> {
  const { d } = held;
  const others = sampled(firings.rows, NEGATIVES, new Random(seed, 'hierarchy', 'negatives'));
  const atOnce = Math.max(1, Math.floor((MAX_VALUES / d - others.length) / POSITIVES));
  const directions = new Map<number, Float64Array>();
  for (let from = 0; from < latents.length; from += atOnce) {
    const chunk = latents.slice(from, from + atOnce);
    const positives = chunk.map((latent) => positiveRows(firings, latent, seed));
    const rows = await readRows(held, new Set([...others, ...positives.flatMap((list) => [...list])]));
    chunk.forEach((latent, i) => {
      const active = new Set(rowsOf(firings, latent));
      const negatives = others.filter((row) => !active.has(row));
      const along = negatives.length > 0 && direction(rows, d, positives[i], negatives);
      if (along) directions.set(latent, along);
      onProgress(from + i + 1, latents.length);
    });
  }
  return directions;
}

/** Undefined where the rows tell nothing. */
function direction(
  rows: { at: ReadonlyMap<number, number>; x: Float32Array },
  d: number,
  positives: Uint32Array,
  negatives: readonly number[],
): Float64Array | undefined {
  const x = new Float32Array((positives.length + negatives.length) * d);
  const labels = new Uint8Array(positives.length + negatives.length).fill(1, 0, positives.length);
  [...positives, ...negatives].forEach((row, i) => {
    const from = rows.at.get(row)!;
    x.set(rows.x.subarray(from, from + d), i * d);
  });
  const { weights } = fitProbe(x, d, labels, { classWeight: 'balanced', tolerance: TOLERANCE });
  const norm = Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0));
  return norm > 0 ? weights.map((w) => w / norm) : undefined;
}

const rowsOf = ({ byLatent: { ptr, row } }: Firings, latent: number): Uint32Array =>
  row.subarray(ptr[latent], ptr[latent + 1]);

/** Which of its rows a latent is known by does not depend on its number. */
function positiveRows(firings: Firings, latent: number, seed: number): Uint32Array {
  const rows = rowsOf(firings, latent);
  const places = sampled(rows.length, POSITIVES, new Random(seed, 'hierarchy', 'positives', rows.length));
  return Uint32Array.from(places, (place) => rows[place]);
}

/** `most` of the numbers below `count`, ascending. */
function sampled(count: number, most: number, random: Random): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i);
  const drawn = new Set<number>();
  while (drawn.size < most) drawn.add(random.below(count));
  return [...drawn].toSorted((a, b) => a - b);
}

/** Rows about their mean, with a mean square of 1: the penalty of a probe must not depend on the model's units. */
async function readRows(
  held: HeldOutRows,
  wanted: ReadonlySet<number>,
): Promise<{ at: Map<number, number>; x: Float32Array }> {
  const { d, mean } = held;
  const x = new Float32Array(wanted.size * d);
  const at = new Map<number, number>();
  let square = 0;
  for await (const { start, rows, raw } of held.batches()) {
    for (let r = 0; r < rows; r++) {
      if (!wanted.has(start + r)) continue;
      const to = at.size * d;
      at.set(start + r, to);
      for (let k = 0; k < d; k++) {
        x[to + k] = raw[r * d + k] - mean[k];
        square += x[to + k] ** 2;
      }
    }
    if (at.size === wanted.size) break;
  }
  const factor = square === 0 ? 1 : 1 / Math.sqrt(square / x.length);
  for (let i = 0; i < x.length; i++) x[i] *= factor;
  return { at, x };
}
