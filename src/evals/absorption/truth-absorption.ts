/**
 * Absorption, leak and splitting against a known truth (methods 7.2, end): on true edges (p, c), where feature c is only on while p is.
 * They are averaged over the edges; the bootstrap resamples the parents with all their edges, which are the same for every SAE.
 */
import type { Forest } from '../../forest/forest.ts';
import { RECOVERED_COSINE } from '../../forest/truth.ts';
import type { EvalContext } from '../context.ts';
import { besideNull, Bootstrap, insufficient, type Meaning, type Metric, type Metrics } from '../metric.ts';
import type { TruthRows } from '../truth-rows.ts';
import type { EdgeCount } from './edge-counts.ts';
import { LEAST_CHILD_COSINE, LEAST_F1 } from './main-latents.ts';
import { MAX_SPLIT, SPLIT_PRECISION } from './split-counts.ts';
import type { TruthDirections } from './truth-directions.ts';
import { NULL_DRAWS, streamTruth, type TruthStream, type ViewTruth } from './truth-stream.ts';

/** Rows with parent and child on, and with the parent alone, that an edge needs to count. */
const MIN_ROWS = 10;
/** Parents, or features, that a mean needs: they are what the bootstrap resamples. */
const MIN_COUNT = 3;

export const TRUTH_METRICS = [
  'truth_absorption_rate',
  'truth_absorption_soft',
  'truth_decoder_leak',
  'truth_split_latents',
  'truth_parents_found',
];

/** Metrics by the name of the view. */
export async function truthAbsorption(
  context: EvalContext,
  source: TruthRows,
  directions: TruthDirections,
): Promise<Map<string, Metrics>> {
  const stream = await streamTruth(context, source, directions);
  return new Map(
    stream.views.map((view) => [
      view.view.name,
      new ViewMetrics(view, stream, source.truth, directions, context).metrics(),
    ]),
  );
}

class ViewMetrics {
  readonly #view: ViewTruth;
  readonly #stream: TruthStream;
  readonly #truth: Forest;
  readonly #directions: TruthDirections;
  readonly #context: EvalContext;
  /** Features with children, ascending. */
  readonly #parents: readonly number[];
  /** `[features]` place among the parents. */
  readonly #unitOf: Map<number, number>;
  readonly #main: string;
  readonly #null: string;

  constructor(view: ViewTruth, stream: TruthStream, truth: Forest, directions: TruthDirections, context: EvalContext) {
    this.#view = view;
    this.#stream = stream;
    this.#truth = truth;
    this.#directions = directions;
    this.#context = context;
    this.#parents = Array.from({ length: truth.size }, (_, i) => i).filter((i) => truth.children(i).length > 0);
    this.#unitOf = new Map(this.#parents.map((parent, unit) => [parent, unit]));
    this.#main = directions.areExact
      ? `the main latent of a feature is the one whose decoder row has the largest |cos| with its direction (a parent is found from ` +
        `${RECOVERED_COSINE} on, a child from ${LEAST_CHILD_COSINE} on)`
      : `the main latent of a feature is the one whose firing has the best F1 on the first ${stream.first.rows.toLocaleString('en')} ` +
        `rows (found from ${LEAST_F1} on; a parent with the main latent of a child has none of its own)`;
    this.#null = `main latents replaced with random ones of the nearest firing frequencies (${NULL_DRAWS} draws), on the same edges`;
  }

  metrics(): Metrics {
    return {
      truth_absorption_rate: this.#rate(),
      truth_absorption_soft: this.#soft(),
      truth_decoder_leak: this.#leak(),
      truth_split_latents: this.#split(),
      truth_parents_found: this.#found(),
    };
  }

  #isCounted = ({ parent, rows }: EdgeCount): boolean => rows >= MIN_ROWS && this.#view.main.isFound[parent] === 1;

  #rate(): Metric {
    const definition =
      'mean over the true edges that occur in at least ' +
      `${MIN_ROWS} rows and whose parent is found of P(main latent of the parent off | parent and child on); ${this.#rows()}`;
    return this.#overEdges(
      this.#isCounted,
      (edge) => edge.rate,
      (draw) => (edge) => (this.#isReplaced(draw, edge) ? this.#view.randomEdges[draw][edge].rate : NaN),
      { unit: 'share of rows', definition },
    );
  }

  #soft(): Metric {
    const definition =
      'mean over the same edges, the parent being on without the child in at least as many rows, of 1 − E[a | parent and child on] / ' +
      `E[a | parent on, child off], a = |activation| of the parent's main latent, clamped to 0 … 1; ${this.#rows()}`;
    return this.#overEdges(
      (edge) => this.#isCounted(edge) && edge.without >= MIN_ROWS && !Number.isNaN(edge.soft),
      (edge) => edge.soft,
      (draw) => (edge) => this.#view.randomEdges[draw][edge].soft,
      { unit: 'share of activation', definition },
    );
  }

  /** Whether there was another latent for the parent of an edge: one that is missing counts as off, which would be absorbed. */
  #isReplaced(draw: number, edge: number): boolean {
    return this.#view.randomMains[draw][this.#view.edges[edge].parent] !== -1;
  }

  #leak(): Metric {
    const { latent, isChildFound } = this.#view.main;
    const definition =
      'mean over the true edges whose child occurs and is found, by another latent than the parent, of cos(decoder row of the ' +
      `child's main latent, g), g = ${this.#directions.how}${this.#directions.areExact ? '; a row that points away from its own feature is turned round' : ''}; ` +
      `0: clean, 1/√2: the sum of two equal and orthogonal directions; ${this.#main}`;
    const cosine = (main: Int32Array) => (edge: EdgeCount) => this.#leakOf(main[edge.child], edge);
    return this.#overEdges(
      ({ parent, child, rows }) => rows >= MIN_ROWS && isChildFound[child] === 1 && latent[parent] !== latent[child],
      cosine(latent),
      (draw) => (edge) => cosine(this.#view.randomMains[draw])(this.#view.edges[edge]),
      { unit: 'cosine', definition },
    );
  }

  #leakOf(latent: number, { parent, child }: EdgeCount): number {
    if (latent === -1) return NaN;
    const { vectors, areExact } = this.#directions;
    const { decoder } = this.#stream;
    const leak = cosineOfRows(decoder, latent, vectors, parent, this.#context.sae.d);
    return areExact ? Math.sign(cosineOfRows(decoder, latent, vectors, child, this.#context.sae.d)) * leak : leak;
  }

  #split(): Metric {
    const { first, second } = this.#stream;
    const { isFound } = this.#view.main;
    const size = this.#truth.size;
    const split = Float64Array.from({ length: size }, (_, feature) =>
      isFound[feature] === 1 && first.on[feature] >= MIN_ROWS && second.on[feature] >= MIN_ROWS
        ? this.#view.splitOf(feature)
        : NaN,
    );
    const definition =
      'mean over the found features of the number of latents that share one: candidates are the main latent and then, by their hits, ' +
      `latents with P(feature | latent) ≥ ${SPLIT_PRECISION} in the first half of the rows; of these the first k count, up to ${MAX_SPLIT}, as long as ` +
      `each raises F1 of "one of them fires" by more than .03 in the second half; ${this.#main}`;
    const meaning = { unit: 'latents', definition };
    const counted = split.map((value) => (Number.isNaN(value) ? 0 : 1));
    const count = counted.reduce((sum, value) => sum + value, 0);
    if (count < MIN_COUNT)
      return insufficient(`${count} features are found, ${MIN_COUNT} are needed`, { n: count, ...meaning });
    const label = `${size} features`;
    const bootstrap = new Bootstrap({ count: size, label }, this.#context.seed);
    const values = split.map((value) => (Number.isNaN(value) ? 0 : value));
    return bootstrap.ratio(values, counted, meaning);
  }

  #found(): Metric {
    const { first } = this.#stream;
    const occurs = Float64Array.from(this.#parents, (parent) => Number(first.on[parent] >= MIN_ROWS));
    const found = Float64Array.from(this.#parents, (parent, unit) => occurs[unit] * this.#view.main.isFound[parent]);
    const definition =
      'share of the parents that occur whose main latent is good enough to be judged: who has no latent cannot be absorbed, so that ' +
      `absorption is about this share; ${this.#main}`;
    const meaning = { unit: 'share of parents', definition };
    const count = occurs.reduce((sum, value) => sum + value, 0);
    if (count < MIN_COUNT)
      return insufficient(`${count} parents occur, ${MIN_COUNT} are needed`, { n: count, ...meaning });
    return this.#bootstrap().ratio(found, occurs, meaning);
  }

  /** Mean over edges, with the null beside it. @param ofDraw takes the edge's number */
  #overEdges(
    isCounted: (edge: EdgeCount) => boolean,
    value: (edge: EdgeCount) => number,
    ofDraw: (draw: number) => (edge: number) => number,
    meaning: Omit<Meaning, 'n'>,
  ): Metric {
    const { edges } = this.#view;
    const chosen = [...edges.keys()].filter((i) => isCounted(edges[i]));
    const parents = new Set(chosen.map((i) => edges[i].parent)).size;
    if (parents < MIN_COUNT) {
      const why = `edges of ${parents} parents occur and are found, those of ${MIN_COUNT} are needed`;
      return insufficient(why, { n: chosen.length, ...meaning });
    }
    const sums = new Float64Array(this.#parents.length);
    const counts = new Float64Array(this.#parents.length);
    for (const i of chosen) {
      const unit = this.#unitOf.get(edges[i].parent)!;
      sums[unit] += value(edges[i]);
      counts[unit]++;
    }
    const draws = Float64Array.from({ length: NULL_DRAWS }, (_, draw) => meanOf(chosen.map(ofDraw(draw))));
    return besideNull(this.#bootstrap().ratio(sums, counts, meaning), 'frequency_matched', draws, this.#null);
  }

  #bootstrap(): Bootstrap {
    const count = this.#parents.length;
    return new Bootstrap({ count, label: `${count} parents` }, this.#context.seed);
  }

  #rows(): string {
    const half = this.#directions.areExact ? 'on the second half of the rows' : 'measured on the other rows';
    return `${half} (${this.#stream.second.rows.toLocaleString('en')}); off: adds less than a tenth of the inputs' root mean square norm; ${this.#main}`;
  }
}

/** Mean of what is defined. */
function meanOf(values: readonly number[]): number {
  const defined = values.filter((value) => !Number.isNaN(value));
  return defined.reduce((sum, value) => sum + value, 0) / defined.length;
}

/** cos(row i of A, row j of B); 0 for rows of zeros. */
function cosineOfRows(A: Float32Array, i: number, B: Float32Array, j: number, d: number): number {
  let [dot, a, b] = [0, 0, 0];
  for (let k = 0, at = i * d, to = j * d; k < d; k++, at++, to++) {
    dot += A[at] * B[to];
    a += A[at] * A[at];
    b += B[to] * B[to];
  }
  return a === 0 || b === 0 ? 0 : dot / Math.sqrt(a * b);
}
