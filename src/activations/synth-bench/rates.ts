/** How often features fire: the base probabilities, their compensation, and what is left of them in a hierarchy. */
import type { Hierarchy } from './hierarchy.ts';

/** p_r = min + (max − min)·(r^−a − N^−a) / (1 − N^−a) for ranks r = 1 … N: Zipf's law, stretched so that both ends fit. */
export function zipfProbabilities(count: number, exponent: number, max: number, min: number): Float64Array {
  const last = count ** -exponent;
  return Float64Array.from({ length: count }, (_, i) =>
    count === 1 ? max : min + ((max - min) * ((i + 1) ** -exponent - last)) / (1 - last),
  );
}

/**
 * By what a feature's probability is multiplied so that it fires about as often as without a hierarchy:
 * (1 / p_parent)·(1 + Σ p of its exclusive siblings / p_parent), all p being base probabilities; 1 for roots and free features.
 * An approximation: {@link firingRates} says what comes of it.
 */
export function compensationFactors(hierarchy: Hierarchy, base: ArrayLike<number>): Float64Array {
  const { forest, feature, carrier, exclusive } = hierarchy;
  const factors = new Float64Array(hierarchy.features).fill(1);
  for (const node of forest.order) {
    const above = carrier[node] === -1 ? 1 : base[carrier[node]];
    if (above === 0) continue;
    const members = [...forest.children(node)].map((child) => feature[child]).filter((f) => f !== -1);
    const total = members.reduce((sum, f) => sum + base[f], 0);
    for (const f of members) {
      factors[f] = 1 / above;
      if (exclusive[node] === 1 && members.length > 1) factors[f] *= 1 + Math.max(0, total - base[f]) / above;
    }
  }
  return factors;
}

/**
 * P(on) of every feature when features fire independently: of exclusive siblings each that fired is as likely to stay,
 * P(i | parent) = q_i E[1 / (1 + number of others that fired)], multiplied down the tree.
 * @param firing `[features]` q, the probability to fire if nothing forbids it
 */
export function firingRates(hierarchy: Hierarchy, firing: ArrayLike<number>): Float64Array {
  const { forest, feature, carrier, exclusive } = hierarchy;
  const rates = Float64Array.from(firing);
  for (const node of forest.order) {
    const above = carrier[node] === -1 ? 1 : rates[carrier[node]];
    const members = [...forest.children(node)].map((child) => feature[child]).filter((f) => f !== -1);
    const q = members.map((f) => firing[f]);
    const stays = exclusive[node] === 1 ? shares(q) : q;
    members.forEach((f, i) => (rates[f] = above * stays[i]));
  }
  return rates;
}

/** q_i E[1 / (1 + Σ_{j≠i} Bernoulli(q_j))] */
function shares(q: readonly number[]): number[] {
  // Distribution of the number that fired, over all of them.
  let all = [1];
  for (const p of q) all = [...all, 0].map((_, k) => (all[k] ?? 0) * (1 - p) + (all[k - 1] ?? 0) * p);
  return q.map((p) => {
    const others = withoutOne(all, p);
    return p * others.reduce((sum, probability, k) => sum + probability / (1 + k), 0);
  });
}

/** The distribution of a sum with one Bernoulli(p) less, divided out from the end where nothing is amplified. */
function withoutOne(all: readonly number[], p: number): number[] {
  const rest = Array.from({ length: all.length - 1 }, () => 0);
  if (p <= 0.5) for (let k = 0; k < rest.length; k++) rest[k] = (all[k] - p * (rest[k - 1] ?? 0)) / (1 - p);
  else for (let k = rest.length - 1; k >= 0; k--) rest[k] = (all[k + 1] - (1 - p) * (rest[k + 1] ?? 0)) / p;
  return rest;
}
