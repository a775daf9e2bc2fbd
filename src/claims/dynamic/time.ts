/** How much longer dynamic sparsity trains. */
import type { Claim } from '../claim.ts';
import { compareMetrics } from '../compare.ts';
import { constants, perSeed, ratios } from '../derived.ts';
import { verdictOf } from '../judge.ts';
import type { Lab } from '../lab.ts';
import type { Spec } from '../spec.ts';
import { dynamicBaseline, dynamicPublished, dynamicSparse, topk } from '../recipes.ts';
import { traceOf } from '../trace.ts';
import { show } from '../words.ts';
import type { Metric } from '../../evals/metric.ts';

const TOKENS = 200_000;
const SEEDS = 5;
const LIMIT = 1.2;

export const dynamicTime: Claim = {
  id: 'dynamic-time',
  paper: 'dynamic',
  statement: '20 % more training time.',
  published: 'text; +20 %',
  protocol:
    'Whole trainings on W, 200 000 tokens, 5 seeds, one at a time and in turn: as published against its topk baseline of the same width; ' +
    'beside it the sparse form against topk of its width. Time of training over time of training, resampling and merging included.',
  rule: `The ratio is at most ${LIMIT}, as published.`,
  async test(lab) {
    const tokens = Math.min(lab.size('W').tokens, TOKENS);
    // Runs of their own, for other claims train several at a time.
    const alone = (spec: Spec): Spec => ({
      ...spec,
      tokens,
      seeds: SEEDS,
      keys: { ...spec.keys, logEvery: 40 },
    });
    const pairs = [
      [await dynamicPublished(lab, 'W'), await dynamicBaseline(lab, 'W')],
      [dynamicSparse(lab, 'W'), topk(lab, 'W')],
    ].map((pair) => pair.map(alone));
    const [published, sparse] = [await ratioOf(lab, pairs[0]), await ratioOf(lab, pairs[1])];
    const limit = constants(LIMIT, published, 'the limit of the rule');
    const question = { what: 'training time / topk', claimed: { is: 'not higher', margin: 0 } } as const;
    const comparisons = [
      compareMetrics('W', ['dynamic, as published', published], ['limit', limit], { ...question, matching: 'nothing' }),
      compareMetrics('W', ['dynamic, sparse', sparse], ['limit', limit], {
        ...question,
        matching: 'parameters',
        decides: false,
      }),
    ];
    return {
      verdict: verdictOf(comparisons),
      because:
        `Training takes ${show(comparisons[0].valueA)} times as long as topk as published, ${show(comparisons[1].valueA)} times in the sparse ` +
        'form. Here sparse codes are multiplied as such, so that a model that ends dense pays for every active latent; where all products ' +
        'are dense, as on the GPU of the paper, that costs nothing extra.',
      comparisons,
    };
  },
};

/** Seed after seed, both sides of each one after the other. */
async function ratioOf(lab: Lab, pair: readonly Spec[]): Promise<Metric[]> {
  for (let seeds = 1; seeds <= SEEDS; seeds++) for (const spec of pair) await lab.train([{ ...spec, seeds }]);
  const times: Metric[][] = [];
  for (const spec of pair) {
    const [runs] = await lab.train([spec]);
    const secondsPerToken = runs.map((run) => 1 / traceOf(run).at(-1)!.tokens_per_s);
    times.push(perSeed(secondsPerToken, 'seconds per token', 'time of the training / its tokens'));
  }
  return ratios(times[0], times[1], 'time of training over that of topk');
}
