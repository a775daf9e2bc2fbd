/** Rows of a known truth through an SAE: main latents from the first half, what they do from the second. */
import type { Codes } from '../../core/codes.ts';
import { Random } from '../../core/random.ts';
import { normalize } from '../../activations/normalization.ts';
import { FiringOverlap } from '../../forest/firing-overlap.ts';
import { Reconstructor } from '../../sae/reconstructor.ts';
import type { View } from '../../sae/architecture.ts';
import type { EvalContext } from '../context.ts';
import { contributing, rootMeanSquare, rowNorms } from '../live-latents.ts';
import type { TruthRows } from '../truth-rows.ts';
import { EdgeCounts, type EdgeCount } from './edge-counts.ts';
import { mainByDirection, mainByFiring, type MainLatents } from './main-latents.ts';
import { SplitCounts, splitCandidates } from './split-counts.ts';
import type { TruthDirections } from './truth-directions.ts';

/** Rows that tell the scale of the inputs. */
const SCALE_ROWS = 1024;
/** Random assignments of latents of equal frequency. */
export const NULL_DRAWS = 20;
/** Latents of the nearest frequencies, on either side, that one may be replaced with. */
const NEIGHBOURS = 10;

export interface ViewTruth {
  readonly view: View;
  readonly main: MainLatents;
  /** Under the main latents, and under random latents of the same frequencies instead. */
  readonly edges: readonly EdgeCount[];
  readonly randomEdges: readonly (readonly EdgeCount[])[];
  readonly randomMains: readonly Int32Array[];
  /** Latents that share a feature, NaN where none stands for it. */
  splitOf(feature: number): number;
}

export interface TruthStream {
  readonly views: readonly ViewTruth[];
  /** `[width, d]` */
  readonly decoder: Float32Array;
  /** Rows of the two halves, and `[features]` in how many of them each feature was on. */
  readonly first: { readonly rows: number; readonly on: Float64Array };
  readonly second: { readonly rows: number; readonly on: Float64Array };
}

/** What one batch of rows is to whoever counts. */
interface Batch {
  /** Activations times the norms of the decoder rows. */
  readonly codes: Codes;
  /** Entries that add next to nothing set to 0. */
  readonly contributing: Codes;
  readonly truth: Codes;
}

export async function streamTruth(
  context: EvalContext,
  source: TruthRows,
  directions: TruthDirections,
): Promise<TruthStream> {
  const { device, sae, seed } = context;
  const rows = Math.min(context.rows, source.count);
  const half = Math.floor(rows / 2);
  const reconstructor = await Reconstructor.create(device, sae);
  try {
    const decoder = await reconstructor.readDictionary();
    const batches = await reader(context, source, reconstructor, rowNorms(decoder, sae.d));
    const overlap = new FiringOverlap(sae.width, source.truth.size);
    for await (const batch of batches(0, half)) overlap.add(batch.contributing, batch.truth);

    const mains = directions.areExact
      ? await inTurn(sae.views, (view) => mainByDirection(device, decoder, directions.vectors, sae.d, view))
      : mainByFiring(overlap, sae.views, source.truth);
    const randomMains = sae.views.map((view, v) => randomOfEqualFrequency(mains[v].latent, overlap.fired, view, seed));
    const edges = new EdgeCounts(
      source.truth,
      sae.width,
      mains.flatMap(({ latent }, v) => [latent, ...randomMains[v]]),
    );
    const splits = mains.map(({ latent }, v) => new SplitCounts(splitCandidates(overlap, latent, sae.views[v])));
    for await (const batch of batches(half, rows)) {
      edges.add(batch.codes, batch.contributing, batch.truth);
      for (const split of splits) split.add(batch.contributing, batch.truth);
    }
    const views = sae.views.map((view, v): ViewTruth => {
      const at = v * (1 + NULL_DRAWS);
      return {
        view,
        main: mains[v],
        edges: edges.edges(at),
        randomEdges: randomMains[v].map((_, draw) => edges.edges(at + 1 + draw)),
        randomMains: randomMains[v],
        splitOf: (feature) => splits[v].splitOf(feature),
      };
    });
    return {
      views,
      decoder,
      first: { rows: half, on: overlap.on },
      second: { rows: rows - half, on: edges.on },
    };
  } finally {
    reconstructor.release();
  }
}

/** They share the device. */
async function inTurn<A, B>(items: readonly A[], work: (item: A) => Promise<B>): Promise<B[]> {
  const results: B[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** Batches of a range of rows. */
async function reader(
  { sae, normalization, rows, batchRows, onProgress }: EvalContext,
  source: TruthRows,
  reconstructor: Reconstructor,
  norms: Float64Array,
): Promise<(start: number, end: number) => AsyncGenerator<Batch>> {
  const all = Math.min(rows, source.count);
  const read = async (start: number, count: number): Promise<{ x: Float32Array; truth: Codes }> => {
    const { acts, truth } = await source.rows(start, count);
    // The source may want its rows back.
    const x = normalization.kind === 'none' ? acts : acts.slice();
    normalize(normalization, x, sae.d);
    return { x, truth };
  };
  const scale = rootMeanSquare((await read(0, Math.min(all, SCALE_ROWS))).x, sae.d);
  return async function* (from, to) {
    for (let start = from; start < to; start += batchRows) {
      const { x, truth } = await read(start, Math.min(batchRows, to - start));
      const { codes } = await reconstructor.run(x, []);
      const scaled = { ...codes, value: codes.value.map((value, e) => value * norms[codes.index[e]]) };
      yield { codes: scaled, contributing: contributing(codes, norms, scale), truth };
      onProgress('rows with known features', start + truth.rows, all);
    }
  };
}

/** `[draws][features]` latents of a range with about the frequencies of the main ones. */
function randomOfEqualFrequency(main: Int32Array, fired: Float64Array, { from, to }: View, seed: number): Int32Array[] {
  const order = Array.from({ length: to - from }, (_, i) => from + i).sort((a, b) => fired[a] - fired[b] || a - b);
  const rank = new Map(order.map((latent, i) => [latent, i]));
  return Array.from({ length: NULL_DRAWS }, (_, draw) => {
    const random = new Random(seed, 'evals', 'absorption', 'latents of equal frequency', draw);
    return main.map((latent) => {
      if (latent === -1) return -1;
      const at = rank.get(latent)!;
      const lowest = Math.max(0, at - NEIGHBOURS);
      const choices = order.slice(lowest, at + NEIGHBOURS + 1).filter((other) => other !== latent);
      return choices.length === 0 ? -1 : choices[random.below(choices.length)];
    });
  });
}
