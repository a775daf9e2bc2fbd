/** The standard normal distribution N(0, 1). */

/** P(N > x) within 1e-15, and far out within 1e-8 of itself (Hart 1968, algorithm 5666, as given by West 2005). */
export function normalTail(x: number): number {
  if (x < 0) return 1 - normalTail(-x);
  if (x > 38) return 0;
  const density = Math.exp(-(x * x) / 2);
  if (x < 7.07106781186547) {
    let above = 0.0352624965998911 * x + 0.700383064443688;
    above = above * x + 6.37396220353165;
    above = above * x + 33.912866078383;
    above = above * x + 112.079291497871;
    above = above * x + 221.213596169931;
    above = above * x + 220.206867912376;
    let below = 0.0883883476483184 * x + 1.75566716318264;
    below = below * x + 16.064177579207;
    below = below * x + 86.7807322029461;
    below = below * x + 296.564248779674;
    below = below * x + 637.333633378831;
    below = below * x + 793.826512519948;
    below = below * x + 440.413735824752;
    return (density * above) / below;
  }
  const fraction = x + 1 / (x + 2 / (x + 3 / (x + 4 / (x + 0.65))));
  return density / (fraction * Math.sqrt(2 * Math.PI));
}

/** The x with P(N > x) = p, that is √2·erfinv(1 − 2p); ∞ for p = 0, −∞ for p = 1. */
export function normalThreshold(p: number): number {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`probability ${p}: expected 0 … 1`);
  if (p === 0) return Infinity;
  if (p > 0.5) return -normalThreshold(1 - p);
  // Newton's method from 0: the tail is convex for x > 0, so that no step goes too far.
  let x = 0;
  for (;;) {
    const step = (normalTail(x) - p) * Math.sqrt(2 * Math.PI) * Math.exp((x * x) / 2);
    x += step;
    if (!(step > 1e-14 * (1 + x))) return x;
  }
}
