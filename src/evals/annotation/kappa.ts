/** Agreement between people who judged the same items, beyond what chance alone would give. */

/** How far apart two labels are: any two alike, by their distance in the order of the labels, or by its square. */
export type KappaWeights = 'none' | 'linear' | 'quadratic';

export interface Agreement {
  /** Share of agreement (Fleiss: mean over the items). */
  readonly observed: number;
  /** Expected from how often each label is used. */
  readonly chance: number;
  /** NaN where chance alone agrees always. */
  readonly kappa: number;
}

/**
 * Cohen's κ (1960; weighted 1968) = 1 − Σ w O / Σ w E with E from the margins; without weights (p_o − p_e) / (1 − p_e).
 * @param table `[labels][labels]` items by the label of the first and of the second judge; counts may be weighted
 */
export function cohenKappa(table: readonly (readonly number[])[], weights: KappaWeights = 'none'): Agreement {
  const labels = table.length;
  const rows = table.map((row) => row.reduce((sum, count) => sum + count, 0));
  const columns = table.map((_, j) => table.reduce((sum, row) => sum + row[j], 0));
  const n = rows.reduce((sum, count) => sum + count, 0);
  let [observed, chance, distance, expected] = [0, 0, 0, 0];
  for (let i = 0; i < labels; i++) {
    observed += table[i][i] / n;
    chance += (rows[i] * columns[i]) / n ** 2;
    for (let j = 0; j < labels; j++) {
      const apart = weights === 'none' ? Number(i !== j) : Math.abs(i - j) ** (weights === 'linear' ? 1 : 2);
      distance += (apart * table[i][j]) / n;
      expected += (apart * rows[i] * columns[j]) / n ** 2;
    }
  }
  return { observed, chance, kappa: expected === 0 ? NaN : 1 - distance / expected };
}

/**
 * Fleiss' κ (1971) = (P̄ − P̄_e) / (1 − P̄_e).
 * @param counts `[items][labels]` judges who gave each label, the same number ≥ 2 for every item
 * @param weights of the items
 */
export function fleissKappa(counts: readonly (readonly number[])[], weights?: ArrayLike<number>): Agreement {
  const labels = counts[0]?.length ?? 0;
  const uses = new Float64Array(labels);
  let [observed, total] = [0, 0];
  counts.forEach((item, i) => {
    const weight = weights?.[i] ?? 1;
    const judges = item.reduce((sum, count) => sum + count, 0);
    const pairs = item.reduce((sum, count) => sum + count * (count - 1), 0);
    observed += (weight * pairs) / (judges * (judges - 1));
    item.forEach((count, label) => (uses[label] += (weight * count) / judges));
    total += weight;
  });
  observed /= total;
  const chance = uses.reduce((sum, use) => sum + (use / total) ** 2, 0);
  // The shares of one label alone may add up to a hair less than 1.
  const certain = uses.some((use) => Math.abs(use - total) < 1e-12 * total);
  return { observed, chance, kappa: certain ? NaN : (observed - chance) / (1 - chance) };
}
