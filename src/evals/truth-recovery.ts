/**
 * What a trained SAE found of a known forest of features, on rows of which it is known what is in them. A latent stands for
 * the feature that its firing tells best (F1 at least {@link MIN_F1}); everything else follows from that.
 */
import { addFiringCounts, countFired, type Codes } from '../core/codes.ts';
import { Random } from '../core/random.ts';
import { normalize, type Normalization } from '../activations/normalization.ts';
import type { Device } from '../engine/device.ts';
import { Agreement } from '../forest/agreement.ts';
import { extractForest } from '../forest/extract.ts';
import { Firings } from '../forest/firings.ts';
import { Forest } from '../forest/forest.ts';
import { shuffledForest } from '../forest/null.ts';
import { forestRecovery, type LinkScore } from '../forest/recovery.ts';
import type { Sae } from '../sae/architecture.ts';
import { Reconstructor } from '../sae/reconstructor.ts';
import { Spread, squaredDistance } from '../training/validation.ts';
import type { TruthRows } from './truth-rows.ts';

/** A latent stands for a feature if "the latent fires" tells "the feature is on" with at least this F1. */
export const MIN_F1 = 0.5;
/** Features that are on in fewer rows are left out: their F1 is mostly chance. */
export const MIN_ROWS = 20;
/** Entries that add a vector shorter than this share of the root mean square norm of the inputs do not count as firing. */
const MIN_CONTRIBUTION = 0.1;
/** τ of the coverage P(parent fires | child fires), for SAEs without a forest of their own. */
const COVERAGE = 0.8;
const NULL_DRAWS = 20;

export interface FoundFeatures {
  /** Features that are on in at least {@link MIN_ROWS} rows … */
  readonly occurring: number;
  /** … and for which some latent stands. */
  readonly found: number;
  /** Mean over the occurring features of the F1 of their best latent. */
  readonly mean_f1: number;
}

export interface FoundLinks {
  /** Links of the forest whose two latents stand for different features. */
  readonly count: number;
  /** Share of them whose parent stands for a feature above the child's. */
  readonly precision: number;
  /** The same with the latents of every level dealt anew at random: mean of 20 draws. */
  readonly precision_by_chance: number;
  /** Links between two latents that stand for the same feature. */
  readonly same_feature: number;
  /** Direct parent–child links of the true forest among occurring features against those of the SAE's. */
  readonly edges: LinkScore;
}

export interface TruthRecovery {
  readonly rows: number;
  /** 1 − Σ‖x − x̂‖² / Σ‖x − x̄‖², in the SAE's input space. */
  readonly variance_explained: number;
  readonly l0: number;
  /** Share of latents that never fired. */
  readonly silent: number;
  /** Features with features below them, and features without. */
  readonly inner: FoundFeatures;
  readonly leaves: FoundFeatures;
  /** Mean over the inner features that were found of P(their best latent is silent | the feature is on). */
  readonly holes: number;
  readonly links: FoundLinks;
  /** Whether the forest is the SAE's own; otherwise it was extracted by coverage. */
  readonly own_forest: boolean;
  /** [width] feature that each latent stands for, −1 for none. */
  readonly match: Int32Array;
  /** Over the latents. */
  readonly forest: Forest;
  readonly agreement: Agreement;
}

/** @param normalization how the SAE wants its inputs */
export async function recoverTruth(
  device: Device,
  sae: Sae,
  normalization: Normalization,
  truth: TruthRows,
  rows: number,
): Promise<TruthRecovery> {
  const reconstructor = await Reconstructor.create(device, sae);
  const full = sae.views.find(({ name }) => name === 'full')!;
  const lengths = rowLengths(await reconstructor.readDictionary(), sae.d);
  const agreement = new Agreement(sae.width, truth.truth.size);
  const firings = new Firings(sae.width);
  const ever = new Float64Array(sae.width);
  const spread = new Spread(sae.d);
  let fired = 0;
  let error = 0;
  try {
    for await (const batch of truth.batches(rows)) {
      normalize(normalization, batch.acts, sae.d);
      const { codes, views } = await reconstructor.run(batch.acts, [full]);
      spread.add(batch.acts);
      error += squaredDistance(batch.acts, views[0]);
      fired += countFired(codes);
      addFiringCounts(codes, ever);
      const contributing = withoutSmall(codes, lengths, batch.acts, sae.d);
      agreement.add(contributing, batch);
      if (!sae.forest) firings.add(contributing);
    }
  } finally {
    reconstructor.release();
  }
  const forest = sae.forest ?? new Forest(extractForest(firings, { method: 'coverage', threshold: COVERAGE }).parent);
  const match = agreement.standsFor(MIN_F1).map((feature) => (occurs(agreement, feature) ? feature : -1));
  return {
    rows: agreement.rows,
    variance_explained: 1 - error / spread.total,
    l0: fired / agreement.rows,
    silent: ever.filter((count) => count === 0).length / sae.width,
    ...foundFeatures(agreement, truth.truth),
    links: foundLinks(truth.truth, forest, match, agreement),
    own_forest: sae.forest !== undefined,
    match,
    forest,
    agreement,
  };
}

const occurs = (agreement: Agreement, feature: number): boolean => feature >= 0 && agreement.on[feature] >= MIN_ROWS;

function foundFeatures(agreement: Agreement, truth: Forest): Pick<TruthRecovery, 'inner' | 'leaves' | 'holes'> {
  const best = agreement.bestLatents();
  const score = (feature: number): number => (best[feature] < 0 ? 0 : agreement.f1(best[feature], feature));
  const all = Array.from(best, (_, feature) => feature).filter((feature) => occurs(agreement, feature));
  const summary = (features: readonly number[]): FoundFeatures => ({
    occurring: features.length,
    found: features.filter((feature) => score(feature) >= MIN_F1).length,
    mean_f1: mean(features.map(score)),
  });
  const inner = all.filter((feature) => truth.children(feature).length > 0);
  const found = inner.filter((feature) => score(feature) >= MIN_F1);
  return {
    inner: summary(inner),
    leaves: summary(all.filter((feature) => truth.children(feature).length === 0)),
    holes: mean(found.map((feature) => 1 - agreement.recall(best[feature], feature))),
  };
}

function foundLinks(truth: Forest, forest: Forest, match: Int32Array, agreement: Agreement): FoundLinks {
  const { count, right, same } = judge(truth, forest, match);
  let byChance = 0;
  for (let draw = 0; draw < NULL_DRAWS; draw++) {
    const shuffled = judge(truth, shuffledForest(forest, new Random(0, 'truth-recovery', 'null', draw)), match);
    byChance += shuffled.count > 0 ? shuffled.right / shuffled.count / NULL_DRAWS : 0;
  }
  // Features that hardly occur cannot be found: their links are left out of the true forest.
  const parent = truth.parent.map((p, feature) => (occurs(agreement, feature) && occurs(agreement, p) ? p : -1));
  return {
    count,
    precision: right / count,
    precision_by_chance: byChance,
    same_feature: same,
    edges: forestRecovery(new Forest(Int32Array.from(parent)), forest, match).edgeMatchedOnly,
  };
}

function judge(truth: Forest, forest: Forest, match: Int32Array): { count: number; right: number; same: number } {
  let [count, right, same] = [0, 0, 0];
  for (const [parent, child] of forest.edges()) {
    const [above, below] = [match[parent], match[child]];
    if (above === -1 || below === -1) continue;
    if (above === below) {
      same++;
      continue;
    }
    count++;
    if (truth.isAncestor(above, below)) right++;
  }
  return { count, right, same };
}

/** The codes with entries that add next to nothing set to 0. */
function withoutSmall(codes: Codes, lengths: Float64Array, acts: Float32Array, d: number): Codes {
  const square = acts.reduce((sum, value) => sum + value * value, 0);
  const least = MIN_CONTRIBUTION * Math.sqrt(square / (acts.length / d));
  const value = codes.value.map((v, e) => (Math.abs(v) * lengths[codes.index[e]] < least ? 0 : v));
  return { ...codes, value };
}

function rowLengths(rows: Float32Array, d: number): Float64Array {
  return Float64Array.from({ length: rows.length / d }, (_, i) => Math.hypot(...rows.subarray(i * d, (i + 1) * d)));
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
