/** What a trained SAE found of a toy tree: features by the direction of their decoder rows, edges through that matching. */
import type { Codes } from '../core/codes.ts';
import { addFiringCounts, codesFromDense, countFired } from '../core/codes.ts';
import type { ActivationSource } from '../activations/source.ts';
import type { ToyTree } from '../activations/toy-tree.ts';
import type { Device } from '../engine/device.ts';
import type { LatentRange } from '../engine/kernels.ts';
import { measureAbsorption } from '../forest/absorption.ts';
import { extractForest } from '../forest/extract.ts';
import { Firings } from '../forest/firings.ts';
import { drawRecovery } from '../forest/draw.ts';
import { forestRecovery, type LinkScore } from '../forest/recovery.ts';
import { cosinesOf, FiringAgreement, matchLatents } from '../forest/truth.ts';
import type { Sae } from '../sae/architecture.ts';
import { Reconstructor } from '../sae/reconstructor.ts';
import { Spread, squaredDistance } from '../training/validation.ts';
import { contributing, COVERAGE, levelsOf, MIN_FIRINGS, restrict, rootMeanSquare, rowNorms } from './live-latents.ts';

export interface ToyRecovery {
  /** 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖² over the held-out rows, in the SAE's input space. */
  variance_explained: number;
  /** Mean number of active latents … */
  l0: number;
  /** … and of those that the reconstruction is made of: fewer where levels reconstruct alone. */
  l0_full: number;
  /** Share of latents that never fired on the held-out rows. */
  dead_fraction: number;
  /** True features with a latent whose decoder row has |cos| ≥ 0.9 (one to one, in each level that reconstructs alone). */
  features_recovered: number;
  features: number;
  /** Mean over features of the F1 of the matched latent's firing against the feature's. */
  feature_f1: number;
  /** Mean over the true edges of P(main latent of the parent off | parent and child on), see forest/absorption.ts. */
  absorption_rate: number;
  /** Mean over the true edges of cos(decoder row of the child's main latent, direction of the parent). */
  decoder_leak: number;
  /** Parent–child edges of the forest (the model's own, or extracted by coverage) against the true ones. */
  edges: LinkScore;
  /** Edges that are neither true nor between two latents for the same feature, which stands in several levels. */
  wrong_edges: number;
  /** Whether the forest is the model's own. */
  own_forest: boolean;
  drawing: string;
}

/** @param source the toy tree, normalised as the SAE wants it */
export async function recoverToyTree(
  device: Device,
  sae: Sae,
  source: ActivationSource,
  tree: ToyTree,
  rows = 20_000,
): Promise<ToyRecovery> {
  const { d } = sae;
  const count = Math.min(rows, source.heldOutRows);
  const x = new Float32Array(count * d);
  await source.heldOut(0, x);
  const on = tree.heldOutTruth(0, count);
  const reconstructor = await Reconstructor.create(device, sae);
  const full = sae.views.find(({ name }) => name === 'full')!;
  const { codes: all, views } = await reconstructor.run(x, [full]);
  const decoder = await reconstructor.readDictionary();
  reconstructor.release();
  const spread = new Spread(d);
  spread.add(x);
  const codes = contributing(all, rowNorms(decoder, d), rootMeanSquare(x, d));

  const firings = new Firings(sae.width);
  firings.add(codes);
  const live = Array.from({ length: sae.width }, (_, i) => i).filter((i) => firings.countOf(i) >= MIN_FIRINGS);
  const parents = sae.forest?.parent ?? extractForest(firings, COVERAGE).parent;
  const forest = restrict(parents, live);

  const rowsOfLive = Float32Array.from(live.flatMap((latent) => [...decoder.subarray(latent * d, (latent + 1) * d)]));
  const cosines = cosinesOf(rowsOfLive, tree.directions, d);
  const recovers = matchByLevel(cosines.map(Math.abs), live, tree.features, levelsOf(sae));
  const liveCodes = keep(codes, live);
  const agreement = new FiringAgreement(recovers, tree.features);
  agreement.add(liveCodes, codesFromDense(on, count, tree.features));
  const absorption = measureAbsorption(tree.truth, liveCodes, on, cosines);
  const { edge } = forestRecovery(tree.truth, forest, recovers);
  const copies = [...forest.edges()].filter(([p, c]) => recovers[p] !== -1 && recovers[p] === recovers[c]).length;
  return {
    variance_explained: 1 - squaredDistance(x, views[0]) / spread.total,
    l0: countFired(all) / count,
    l0_full: countFired(all, full) / count,
    dead_fraction: countFiringLatents(all).filter((firings) => firings === 0).length / sae.width,
    features_recovered: new Set(recovers.filter((feature) => feature !== -1)).size,
    features: tree.features,
    feature_f1: agreement.scores().meanFeatureF1,
    absorption_rate: absorption.rate,
    decoder_leak: absorption.leak,
    edges: edge,
    wrong_edges: edge.predicted - edge.predictedCorrect - copies,
    own_forest: sae.forest !== undefined,
    drawing: drawRecovery({
      truth: tree.truth,
      recovered: forest,
      match: recovers,
      name: (feature) => tree.names[feature],
      latentLabel: (i) => (recovers[i] === -1 ? `latent ${live[i]}` : tree.names[recovers[i]]),
      probability: tree.probability,
    }),
  };
}

/**
 * A feature may stand once in every level: the levels do not share it out among themselves.
 * @param cosines `[live, features]`, absolute; @param live latents, ascending
 * @returns `[live]` feature that each latent recovers, −1 for none
 */
export function matchByLevel(
  cosines: Float32Array,
  live: readonly number[],
  features: number,
  levels: readonly LatentRange[],
): Int32Array {
  const recovers = new Int32Array(live.length).fill(-1);
  for (const { from, to } of levels) {
    const start = live.filter((latent) => latent < from).length;
    const end = live.filter((latent) => latent < to).length;
    const rows = cosines.subarray(start * features, end * features);
    recovers.set(matchLatents(rows, end - start, features).recovers, start);
  }
  return recovers;
}

function countFiringLatents(codes: Codes): Float64Array {
  const counts = new Float64Array(codes.width);
  addFiringCounts(codes, counts);
  return counts;
}

/** The same codes with only some latents, renumbered. */
function keep(codes: Codes, latents: readonly number[]): Codes {
  const place = new Map(latents.map((latent, i) => [latent, i]));
  const rowPtr = new Uint32Array(codes.rows + 1);
  const index: number[] = [];
  const value: number[] = [];
  for (let r = 0; r < codes.rows; r++) {
    for (let e = codes.rowPtr[r]; e < codes.rowPtr[r + 1]; e++) {
      const latent = place.get(codes.index[e]);
      if (latent === undefined) continue;
      index.push(latent);
      value.push(codes.value[e]);
    }
    rowPtr[r + 1] = index.length;
  }
  return {
    rows: codes.rows,
    width: latents.length,
    rowPtr,
    index: Uint32Array.from(index),
    value: Float32Array.from(value),
  };
}
