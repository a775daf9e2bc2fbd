/** Learning-rate schedules: the value used for step t = 0, 1, … */

/** Warm-up where the configuration names none: as many steps as in the source, but at most a tenth of a short run. */
export function defaultWarmup(total: number, published = 1000): number {
  return Math.min(published, Math.floor(total / 10));
}

/** Compositional SAEs: (t / warmup)³ during warm-up (0 at t = 0), then 1. */
export function cubicWarmup(warmup: number): (step: number) => number {
  return (step) => (step < warmup ? (step / warmup) ** 3 : 1);
}

/**
 * dictionary_learning: factor t/warmup during warm-up (exactly 0 at t = 0), then 1, then linear to 0 at `total` from
 * `decayStart` on (undefined = no decay).
 */
export function linearWarmupDecay(
  total: number,
  warmup: number,
  decayStart: number | undefined,
): (step: number) => number {
  return (step) => {
    if (step < warmup) return step / warmup;
    return decayStart !== undefined && step >= decayStart ? (total - step) / (total - decayStart) : 1;
  };
}

/** SAELens: factor 1/W at step 0, rising linearly to 1 at step W − 1; `warmup` W = 0 is none. */
export function warmupFromFirst(warmup: number): (step: number) => number {
  return (step) => (step + 1 >= warmup ? 1 : 1 / warmup + ((1 - 1 / warmup) * step) / (warmup - 1));
}

/** From peak / W at step 0 to the peak at step W − 1, W = a tenth of the run, then cosine to 0 at `total` (HSAE forest, own off-by-one). */
export function warmTenthCosine(peak: number, total: number): (step: number) => number {
  const warmup = Math.floor(total / 10);
  return (step) => {
    if (step < warmup) return (peak * (step + 1)) / warmup;
    return peak * 0.5 * (1 + Math.cos((Math.PI * Math.min(step - warmup, total - warmup)) / (total - warmup)));
  };
}

/** H-SAE (optax): linear from `initial` to `peak` over `warmup` steps, then cosine to 10 % of the peak at `total`. */
export function warmupCosine(
  initial: number,
  peak: number,
  warmup: number,
  total: number,
  floor = 0.1,
): (step: number) => number {
  return (step) => {
    if (step < warmup) return initial + ((peak - initial) * step) / warmup;
    const span = Math.max(1, total - warmup);
    const cosine = 0.5 * (1 + Math.cos((Math.PI * Math.min(step - warmup, span)) / span));
    return peak * ((1 - floor) * cosine + floor);
  };
}
