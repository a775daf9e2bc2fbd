/** The metrics of labels, with intervals over the latents and pairs that were judged. */
import { Bootstrap, besideNull, insufficient, type Metric, type Metrics, type SuiteResult } from '../metric.ts';
import type { JudgedPair, LabelledLatent, Labels, Plan } from './label.ts';

/** Fewer latents or pairs say nothing about an SAE. */
const MIN_UNITS = 10;

const SCORES = {
  detection: {
    of: ({ detection }: LabelledLatent) => detection,
    definition:
      'mean over latents of the share of 20 texts, 10 in which the latent fires and 10 in which it does not, for which a language ' +
      'model that knows only the explanation says rightly whether the latent fires there (Delphi; chance .5)',
  },
  fuzzing: {
    of: ({ fuzzing }: LabelledLatent) => fuzzing,
    definition:
      'mean over latents of the share of 10 texts in which the latent fires, 5 marked where it does and 5 marked elsewhere, for ' +
      'which a language model that knows only the explanation says rightly whether the marks fit (Delphi; chance .5)',
  },
  autointerp_accuracy: {
    of: ({ prediction }: LabelledLatent) => prediction,
    definition:
      'mean over latents of the share of 14 texts, 2 with top activations, 2 importance-sampled and 10 in which the latent does not ' +
      'fire, for which a language model that knows only the explanation says rightly whether it fires there (SAEBench autointerp; ' +
      'saying never gives .714)',
  },
} as const;

export function labelMetrics({ latents, pairs }: Labels, plan: Pick<Plan, 'forest'>, seed: number): SuiteResult {
  const metrics: Metrics = {};
  for (const [name, { of, definition }] of Object.entries(SCORES)) {
    const scores = latents.map(of).filter((score) => score !== undefined);
    metrics[name] = mean(scores, 'labelled latents', { unit: 'share', definition }, seed);
  }
  const skipped: Record<string, string> = {};
  if (plan.forest === 'none') {
    for (const name of ['relation_yes', 'relation_yes_high']) skipped[name] = 'no pairs were asked for (--pairs 0)';
  } else Object.assign(metrics, relationMetrics(pairs, plan.forest, seed));
  return { metrics, views: {}, skipped };
}

function relationMetrics(pairs: readonly JudgedPair[], forest: string, seed: number): Metrics {
  const measure = (name: string, yes: (pair: JudgedPair) => boolean, what: string): Metric => {
    const [ofForest, random] = (['forest', 'random'] as const).map((origin) =>
      pairs.filter((pair) => pair.origin === origin).map((pair) => Number(yes(pair))),
    );
    const definition =
      `share of pairs (parent, child) of ${forest} for which a language model that sees 15 contexts of each says ${what} ` +
      'the question whether the child is a special case of the parent (HSAE, appendix C)';
    const measured = mean(ofForest, 'pairs of the forest', { unit: 'share', definition }, seed);
    const beside = mean(random, 'random pairs', { unit: 'share', definition: name }, seed);
    if (!measured.replicates || !beside.replicates) return measured;
    return besideNull(
      measured,
      'random_pairs',
      beside.replicates,
      `the same over ${random.length} pairs of the same parents with children of other pairs; its draws are a bootstrap over them`,
    );
  };
  return {
    relation_yes: measure('relation_yes', ({ related }) => related, 'yes to'),
    relation_yes_high: measure(
      'relation_yes_high',
      ({ related, confidence }) => related && confidence === 'high',
      'yes with high confidence to',
    ),
  };
}

function mean(
  values: readonly number[],
  units: string,
  { unit, definition }: { unit: string; definition: string },
  seed: number,
): Metric {
  const n = values.length;
  if (n < MIN_UNITS) return insufficient(`${n} ${units}, at least ${MIN_UNITS} are needed`, { n, unit, definition });
  const bootstrap = new Bootstrap({ count: n, label: `${n} ${units}` }, seed);
  return bootstrap.ratio(Float64Array.from(values), new Float64Array(n).fill(1), { unit, definition });
}
