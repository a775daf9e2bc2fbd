/**
 * Sibling similarity of eval-HSAEs (methods 7.9): whether siblings fire on similar inputs. There the inputs are embeddings of images;
 * here they are the language model's activations about their mean, because what all of them share would make everything alike.
 */
import { normalizeRows } from '../../core/rows.ts';
import type { Families } from '../../forest/families.ts';
import type { Firings } from '../../forest/firings.ts';
import type { HeldOutRows } from '../held-out-rows.ts';
import type { Metric } from '../metric.ts';
import { mean } from '../../core/statistics.ts';
import { MIN_SAMPLES, type JudgedFamilies } from './rules.ts';
import { besideNulls, type NullFamilies } from './null-families.ts';
import { eachFamily, meanPairwiseCosine, overFamilies, ratioOf } from './over-families.ts';

/** Strongest inputs that are averaged. */
const TOP = 10;

export async function siblingSimilarity(
  firings: Firings,
  held: HeldOutRows,
  { families, how }: JudgedFamilies,
  nulls: NullFamilies,
  seed: number,
): Promise<Metric> {
  const { d } = held;
  const inputs = await meanTopInputs(firings, held);
  normalizeRows(inputs, d);
  const isLive = (latent: number): boolean => firings.countOf(latent) >= MIN_SAMPLES;
  const cosines = (of: Families): ReturnType<typeof eachFamily> =>
    eachFamily(of, (children) => meanPairwiseCosine(inputs, d, children.filter(isLive)));
  const byChance = mean(nulls.shuffled.map((of) => ratioOf(cosines(of))).filter((value) => !Number.isNaN(value)));
  const { numerator, denominator } = cosines(families);
  const above = { numerator: numerator.map((value, f) => value - byChance * denominator[f]), denominator };
  const definition =
    `mean over the families with at least two children of the mean pairwise cosine of their mean inputs on the ${TOP} rows of the ` +
    `largest activation, minus the same for random clusters of equal sizes (${nulls.shuffled.length} shuffled forests); inputs are the ` +
    `model’s activations minus their mean, children are active on at least ${MIN_SAMPLES} held-out rows, ${how}`;
  const measured = overFamilies(above, 'families', { unit: 'mean over families', definition }, seed);
  return besideNulls(measured, nulls, 'children', (of) => ratioOf(cosines(of)) - byChance);
}

/** `[F, d]` mean of x − x̄ over the rows of the largest activations of each latent. */
async function meanTopInputs(firings: Firings, held: HeldOutRows): Promise<Float32Array> {
  const { d, mean: center } = held;
  const top = topRows(firings);
  const sums = new Float32Array(firings.width * d);
  let next = 0;
  for await (const { start, rows, raw } of held.batches()) {
    for (; next < top.row.length && top.row[next] < start + rows; next++) {
      const [from, to] = [(top.row[next] - start) * d, top.latent[next] * d];
      for (let k = 0; k < d; k++) sums[to + k] += raw[from + k] - center[k];
    }
    if (next === top.row.length) break;
  }
  return sums;
}

/** The rows of the largest activations of each latent, the earlier of equal ones; ordered by row. */
function topRows(firings: Firings): { row: Uint32Array; latent: Uint32Array } {
  const { ptr, row, strength } = firings.byLatent;
  const found: { row: number; latent: number }[] = [];
  for (let latent = 0; latent < firings.width; latent++) {
    const best: number[] = [];
    for (let e = ptr[latent]; e < ptr[latent + 1]; e++) {
      if (best.length === TOP && strength[e] <= strength[best[TOP - 1]]) continue;
      let at = best.length;
      while (at > 0 && strength[best[at - 1]] < strength[e]) at--;
      best.splice(at, 0, e);
      if (best.length > TOP) best.pop();
    }
    for (const e of best) found.push({ row: row[e], latent });
  }
  found.sort((a, b) => a.row - b.row || a.latent - b.latent);
  return { row: Uint32Array.from(found, (one) => one.row), latent: Uint32Array.from(found, (one) => one.latent) };
}
