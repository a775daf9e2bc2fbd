/** Several statistics of the same sums: one set of resamples serves all. */
import { percentileInterval } from '../../core/statistics.ts';
import { besideNull, insufficient, metric, type Meaning, type Metric, type Metrics } from '../metric.ts';
import type { Bootstrap } from '../metric.ts';

/** By the name of the metric; NaN where undefined. */
export type Values = Readonly<Record<string, number>>;

/** Draws of {@link Bootstrap.of}: metrics of other files meet the same resamples. */
const RESAMPLES = 1000;

/** How the numbers of a sample of rows are resampled. */
export interface Resampling {
  readonly bootstrap: Bootstrap;
  /** `[rows]` unit of each row. */
  readonly unitOf: Int32Array;
  /** Whether other SAEs are measured on the same units. */
  readonly keepsReplicates: boolean;
  readonly onProgress: (what: string, done: number, total: number) => void;
}

export interface Described extends Meaning {
  /** Why there is no number, if so. */
  readonly insufficient?: string;
}

/**
 * @param what the metrics are, for whoever waits
 * @param statistics of weights of the units
 * @param meanings names of the metrics that are made
 */
export function resampled(
  { bootstrap, keepsReplicates, onProgress }: Omit<Resampling, 'unitOf'>,
  what: string,
  statistics: (weights: Float64Array) => Values,
  meanings: Readonly<Record<string, Described>>,
): Metrics {
  const { count, label } = bootstrap.units;
  const names = Object.keys(meanings).filter((name) => meanings[name].insufficient === undefined);
  const values = names.length === 0 ? {} : statistics(new Float64Array(count).fill(1));
  const replicates = new Map(names.map((name) => [name, new Float64Array(RESAMPLES)]));
  const draws = bootstrap.draws();
  const weights = new Float64Array(count);
  const isResampled = count > 1 && names.length > 0;
  const resamples = isResampled ? RESAMPLES : 0;
  for (let b = 0; b < resamples; b++) {
    weights.fill(0);
    for (let i = 0; i < count; i++) weights[draws.below(count)]++;
    const drawn = statistics(weights);
    for (const name of names) replicates.get(name)![b] = drawn[name];
    onProgress(`resamples of ${what}`, b + 1, resamples);
  }
  return Object.fromEntries(
    Object.entries(meanings).map(([name, { insufficient: why, ...meaning }]): [string, Metric] => {
      if (why !== undefined) return [name, insufficient(why, meaning)];
      // As of Bootstrap: the resamples of one unit are all the same.
      if (!isResampled) {
        const definition = `${meaning.definition}; no interval from ${label}`;
        return [name, metric(values[name], NaN, NaN, { ...meaning, definition })];
      }
      const drawn = centred(replicates.get(name)!, values[name]);
      const { low, high } = percentileInterval(drawn);
      const definition = `${meaning.definition}; 95 % interval: percentile bootstrap over ${label}, centred on the value`;
      return [
        name,
        {
          ...metric(values[name], low, high, { ...meaning, definition }),
          ...(keepsReplicates && { replicates: drawn }),
        },
      ];
    }),
  );
}

/**
 * Replicates moved to where their mean is the value: resamples hold fewer different rows than the sample, which biases ratios of rare
 * latents, such as a cosine over the few rows in which one fires.
 */
function centred(replicates: Float64Array, value: number): Float64Array {
  const shift = value - meanOfDefined(replicates);
  return replicates.map((drawn) => drawn + shift);
}

/** Every metric that has a value with a null beside it. @param draws values of the metrics in each draw */
export function allBesideNull(metrics: Metrics, name: string, draws: readonly Values[], definition: string): Metrics {
  return Object.fromEntries(
    Object.entries(metrics).map(([key, measured]) => {
      const isJudged = measured.value !== null && draws.some((values) => key in values);
      if (!isJudged) return [key, measured];
      return [
        key,
        besideNull(
          measured,
          name,
          Float64Array.from(draws, (values) => values[key] ?? NaN),
          definition,
        ),
      ];
    }),
  );
}

/** Mean of the values that are numbers. */
export function meanOfDefined(values: Iterable<number>): number {
  let [sum, count] = [0, 0];
  for (const value of values) {
    if (Number.isNaN(value)) continue;
    sum += value;
    count++;
  }
  return sum / count;
}
