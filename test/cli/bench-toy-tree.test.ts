/** `saeforest bench toy-tree` as a script sees it, in processes of its own. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { toyVariants, TOY_SETTINGS } from '../../src/cli/toy-settings.ts';
import { architectures } from '../../src/sae/registry.ts';
import { launch } from '../training/support.ts';

const metric = z.strictObject({
  value: z.number().nullable(),
  low: z.number().nullable(),
  high: z.number().nullable(),
  n: z.number().int(),
  unit: z.string(),
  definition: z.string().endsWith('; mean over seeds, 95 % t-interval'),
});

const report = z.strictObject({
  seeds: z.number(),
  results: z.array(
    z.strictObject({
      architecture: z.string(),
      variant: z.string().nullable(),
      own_forest: z.boolean(),
      absorbs: z.enum(['yes', 'no', 'unclear']),
      diverged: z.array(z.number()),
      training: z.looseObject({ batch: z.number(), tokens: z.literal(4000) }),
      seconds_per_seed: z.number().positive(),
      metrics: z.record(z.string(), metric),
    }),
  ),
});

const QUICK = ['--seeds', '2', '--tokens', '4k'];

async function bench(...flags: string[]): Promise<z.output<typeof report>> {
  const { code, out, err } = await launch(['bench', 'toy-tree', ...QUICK, '--json', ...flags]);
  expect(code, err).toBe(0);
  return report.parse(JSON.parse(out));
}

describe('bench toy-tree', () => {
  it('reports every architecture with intervals over seeds, the same each time', async () => {
    const { seeds, results } = await bench();
    expect(seeds).toBe(2);
    const planned = architectures.flatMap((architecture) =>
      toyVariants(architecture).map(({ variant }) => ({ architecture: architecture.name, variant })),
    );
    expect(results.map(({ architecture, variant }) => ({ architecture, variant }))).toEqual(planned);
    for (const { metrics, diverged } of results) {
      expect(diverged).toEqual([]);
      expect(Object.keys(metrics)).toEqual([
        'variance_explained',
        'l0',
        'dead_fraction',
        'features_found',
        'feature_f1',
        'absorption_rate',
        'decoder_leak',
        'edges_found',
        'wrong_edges',
      ]);
      const { value, low, high, n } = metrics.variance_explained;
      expect(n).toBe(2);
      expect(low! + high!).toBeCloseTo(2 * value!, 9);
    }
    const [again] = (await bench('--arch', 'h-sae')).results;
    expect(again.metrics).toEqual(results.find(({ architecture }) => architecture === 'h-sae')!.metrics);
    expect(again.own_forest).toBe(true);
  }, 60_000);

  it('prints one table', async () => {
    const { code, out } = await launch(['bench', 'toy-tree', '--arch', 'h-sae', ...QUICK]);
    expect(code).toBe(0);
    expect(out).toMatch(/^ +VE .* edges of 9 +wrong edges +forest +absorbs$/m);
    expect(out).toMatch(/^h-sae( +-?\d+\.\d+ ± \d+\.\d+){9} +own +(yes|no|unclear)$/m);
    expect(out).toContain('absorbs: yes if');
  }, 60_000);

  it('refuses what it cannot run', async () => {
    expect(await launch(['bench', 'toy-tree', '--arch', 'topk,hsae'])).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('unknown architecture "hsae"; did you mean "h-sae"?'),
    });
    expect(await launch(['bench', 'toy-tree', '--seeds', '0'])).toMatchObject({ code: 2, out: '' });
  });
});

describe('the settings', () => {
  it.each(architectures.map((architecture) => [architecture.name, architecture] as const))(
    'fit %s',
    (_, architecture) => {
      const variants = toyVariants(architecture);
      expect(new Set(variants.map(({ variant }) => variant)).size).toBe(variants.length);
      for (const { training } of variants) {
        expect(architecture.check?.(architecture.schema.parse(training.config))).toBeUndefined();
      }
      for (const { training } of toyVariants(architecture, 1000)) expect(training.tokens).toBe(1000);
    },
  );

  it('are of architectures that exist', () => {
    const names = architectures.map(({ name }) => name);
    expect(Object.keys(TOY_SETTINGS).filter((name) => !names.includes(name))).toEqual([]);
  });
});
