/** Which latents of a trained SAE take part when it is compared with a known truth, and the forest among them. */
import type { Codes } from '../core/codes.ts';
import type { LatentRange } from '../engine/kernels.ts';
import type { ExtractionOptions } from '../forest/extract.ts';
import { Forest } from '../forest/forest.ts';
import type { Sae } from '../sae/architecture.ts';

/** Latents that contribute in fewer rows than this are left out of the forest … */
export const MIN_FIRINGS = 20;
/** … where contributing means adding a vector at least this long, as a share of the root mean square norm of the inputs. */
const MIN_CONTRIBUTION = 0.1;

/**
 * How forests are extracted where an SAE has none: latents fire by mistake more often than the published τ of 0.9 allows, and true
 * children are rare enough that one half tells a parent from its child.
 */
export const COVERAGE = { method: 'coverage', threshold: 0.5 } as const satisfies ExtractionOptions;

/**
 * The codes with entries that add next to nothing set to 0: an expert's atom is always on, but mostly at a tiny value.
 * @param norms `[width]` of the decoder rows
 * @param scale root mean square norm of the inputs
 */
export function contributing(codes: Codes, norms: Float64Array, scale: number): Codes {
  const value = codes.value.map((v, e) => (isNegligible(Math.abs(v), norms[codes.index[e]], scale) ? 0 : v));
  return { ...codes, value };
}

/** Whether an entry adds next to nothing. @param norm of the latent's decoder row */
export function isNegligible(strength: number, norm: number, scale: number): boolean {
  return strength * norm < MIN_CONTRIBUTION * scale;
}

export function rowNorms(rows: Float32Array, d: number): Float64Array {
  return Float64Array.from({ length: rows.length / d }, (_, i) => {
    let square = 0;
    for (let k = i * d; k < (i + 1) * d; k++) square += rows[k] * rows[k];
    return Math.sqrt(square);
  });
}

/** √(mean ‖x‖²) of rows `[·, d]`. */
export function rootMeanSquare(x: Float32Array, d: number): number {
  return Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / (x.length / d));
}

/** The parts of the latents that reconstruct alone: the levels where `full` is only the deepest of them, else all latents. */
export function levelsOf({ views, width }: Sae): readonly LatentRange[] {
  const full = views.find(({ name }) => name === 'full')!;
  return full.from === 0 ? [{ from: 0, to: width }] : views;
}

/** The forest among some latents, renumbered; a child whose parent is left out becomes a root. */
export function restrict(parents: ArrayLike<number>, latents: readonly number[]): Forest {
  const place = new Map(latents.map((latent, i) => [latent, i]));
  return new Forest(Int32Array.from(latents, (latent) => place.get(parents[latent]) ?? -1));
}
