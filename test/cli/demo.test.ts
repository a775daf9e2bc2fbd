/** `saeforest demo` as a script sees it; slow, for it trains to the end. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { jsonOf, run, temporaryFolder } from '../training/support.ts';

const share = z.number().min(0).max(1);
const count = z.number().int().min(0);

const result = z.strictObject({
  name: z.string(),
  folder: z.string(),
  variance_explained: z.number().max(1),
  l0: z.number().min(0),
  l0_full: z.number().min(0),
  dead_fraction: share,
  features: z.literal(20),
  features_recovered: count.max(20),
  feature_f1: share,
  absorption_rate: share,
  decoder_leak: z.number().min(-1).max(1),
  wrong_edges: count,
  own_forest: z.boolean(),
  edges: z.strictObject({
    predicted: count,
    predictedCorrect: count,
    true: z.literal(9),
    trueRecovered: count.max(9),
    precision: share,
    recall: share,
    f1: share,
  }),
});

it('reports what each architecture found', { timeout: 300_000 }, async () => {
  const out = join(temporaryFolder(), 'demo');
  const { code, out: printed, err } = await run('demo', '--out', out, '--json');
  expect(code, err).toBe(0);
  const { results } = z
    .strictObject({ out: z.literal(out), seconds: z.number().positive(), results: z.array(result) })
    .parse(JSON.parse(printed));
  expect(results.map(({ name, own_forest }) => [name, own_forest])).toEqual([
    ['topk', false],
    ['h-sae', true],
  ]);
  for (const { folder } of results) expect(jsonOf(join(folder, 'run.json'))).toMatchObject({ state: 'done' });
});
