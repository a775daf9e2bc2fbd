/** Runs as a comparison sees them, without folders. */
import type { ComparedRun } from '../../src/compare/runs.ts';
import { Random } from '../../src/core/random.ts';
import { Bootstrap, type Metric, type Metrics } from '../../src/evals/metric.ts';
import { documentUnits } from '../../src/evals/units.ts';
import { resolveConfig } from '../../src/training/config.ts';

const DOCUMENTS = 60;
const units = documentUnits(Array.from({ length: DOCUMENTS }, (_, i) => i));

/** A mean over documents whose difficulty all runs share. */
export function score(mean: number, noiseSeed: number | string = 0, unit = 'share'): Metric {
  const [shared, own] = [new Random(1), new Random(2, String(noiseSeed))];
  const values = Float64Array.from({ length: DOCUMENTS }, () => mean + 0.05 * shared.normal() + 0.01 * own.normal());
  return new Bootstrap(units, 0).ratio(values, new Float64Array(DOCUMENTS).fill(1), { unit, definition: 'a mean' });
}

interface Facts {
  arch?: string;
  seed?: number;
  settings?: Record<string, unknown>;
  core?: Metrics;
  hierarchy?: Metrics;
  skipped?: Record<string, string>;
  measured?: Record<string, unknown>;
  step?: number;
}

export function fakeRun(folder: string, facts: Facts): ComparedRun {
  const { arch = 'topk', seed = 0, settings = {}, skipped = {}, measured = {}, step = 40 } = facts;
  const raw = { arch, seed, acts: 'synthetic:toy-tree', tokens: 4000, batch: 100, ...settings };
  const config = resolveConfig(raw, 'test');
  const of = { step, data: { hash: `data of seed ${seed}` }, rows: 1000, sequences: null, seed: 0, ...measured };
  return {
    folder,
    config,
    step: 40,
    cost: config.architecture.cost(config.sae, 20),
    result(suite) {
      const metrics = suite === 'core' ? facts.core : suite === 'hierarchy' ? facts.hierarchy : undefined;
      return metrics && { result: { metrics, views: { top: metrics }, skipped }, measured: of };
    },
  };
}

/** topk with k = 2, 4 and 8, and an h-sae as sparse as k = 4, of each seed. */
export function family(seeds: readonly number[]): ComparedRun[] {
  return seeds.flatMap((seed) => [
    ...[2, 4, 8].map((k) =>
      fakeRun(`seed${seed}/topk-k=${k}`, {
        seed,
        settings: { width: 64, k },
        core: {
          l0_total: score(k, 'l0', 'latents per token'),
          variance_explained: score(0.5 + 0.1 * Math.log2(k), `${k} ${seed}`),
        },
      }),
    ),
    fakeRun(`seed${seed}/h-sae`, {
      arch: 'h-sae',
      seed,
      settings: { width: 16, k: 2, atoms: 4 },
      core: {
        l0_total: score(4, 'l0', 'latents per token'),
        variance_explained: score(0.9, `h ${seed}`),
      },
    }),
  ]);
}
