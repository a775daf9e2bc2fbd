import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import type { Metric } from '../../src/evals/metric.ts';
import { writeSafetensors } from '../../src/formats/safetensors-writer.ts';
import { documentLengths, harvest, identity, temporaryFolder } from '../activations/folders.ts';

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((out += String(chunk)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => ((err += String(chunk)), true));
  const code = await main(argv);
  vi.restoreAllMocks();
  return { code, out, err };
}

type Report = Record<string, Metric> & {
  views?: Record<string, Record<string, Metric>>;
  skipped: Record<string, string>;
};

const folder = temporaryFolder();
const at = (name: string): string => join(folder.path, name);

function forestFile(parent: Int32Array): string {
  const path = at('forest.safetensors');
  writeSafetensors(path, { parent: { dtype: 'I32', shape: [parent.length], data: parent } });
  return path;
}

async function train(arch: string, acts: string, ...settings: string[]): Promise<string> {
  const out = at(`${arch}-${settings.length}`);
  const sets = settings.flatMap((setting) => ['--set', setting]);
  const { code, err } = await run('train', '--acts', acts, '--arch', arch, '--out', out, '--tokens', '4k', ...sets);
  expect(code, err).toBe(0);
  return out;
}

afterEach(() => vi.restoreAllMocks());
afterAll(folder.remove);

describe('eval', () => {
  let toy: string;
  beforeAll(async () => {
    toy = await train('h-sae', 'synthetic:toy-tree', 'width=16', 'k=2', 'batch=500');
  }, 120_000);

  it('prints one JSON document and stores it in the run', async () => {
    const { code, out, err } = await run('eval', toy, '--suite', 'core', '--rows', '2k', '--json');
    expect(code, err).toBe(0);
    const { core } = JSON.parse(out) as { core: Report };
    expect(core.variance_explained).toMatchObject({ n: 2000, unit: 'share' });
    expect(core.variance_explained.definition).toMatch(/^global: 1 − Σ/);
    expect(core.dead_fraction_counters.value).toBeTypeOf('number');
    expect(Object.keys(core.views!)).toEqual(['top']);
    expect(core.skipped.ce_loss_score).toMatch(/not harvested from a language model/);
    const stored = JSON.parse(readFileSync(join(toy, 'evals', 'core.json'), 'utf8')) as Record<string, unknown>;
    expect(stored).toMatchObject({ core, measured: { step: 8, acts: 'synthetic:toy-tree', rows: 2000, seed: 0 } });
    const again = await run('eval', toy, '--rows', '2k', '--json');
    expect(again.out).toBe(out);
  });

  it('measures absorption against the toy tree, view by view', async () => {
    const { code, out, err } = await run('eval', toy, '--suite', 'absorption', '--rows', '4k', '--json');
    expect(code, err).toBe(0);
    const { absorption } = JSON.parse(out) as { absorption: Report };
    expect(absorption.truth_parents_found).toMatchObject({ n: 3, unit: 'share of parents' });
    expect(absorption.truth_absorption_rate.definition).toContain(
      'P(main latent of the parent off | parent and child on)',
    );
    expect(Object.keys(absorption.views!.top)).toEqual(
      Object.keys(absorption).filter((name) => name.startsWith('truth_')),
    );
    expect(absorption.skipped.split_features).toMatch(/not harvested from a language model/);
  });

  it('prints a table', async () => {
    const { code, out } = await run('eval', toy, '--rows', '500');
    expect(code).toBe(0);
    expect(out).toMatch(/^variance_explained_legacy +-?\d.* … .* 500 +share$/m);
    expect(out).toContain('_legacy = SAEBench');
    expect(out).toMatch(/^not measured, .*:\n {2}ce_clean, ce_sae/m);
  });

  it('runs several suites; what cannot be measured has a reason', async () => {
    const { code, out, err } = await run('eval', toy, '--suite', 'cost,probing', '--json');
    expect(code, err).toBe(0);
    const { cost, probing } = JSON.parse(out) as { cost: Report; probing: Report };
    expect(cost.parameters_ratio.definition).toMatch(/divided by those of a flat topk SAE with width 16 and k = \d$/);
    expect(cost.step_ms.n).toBe(15);
    expect(probing.skipped.probing_k1).toMatch(/not harvested from a language model/);
  });

  it('goes without the model where it is gone, and refuses what is not a model', async () => {
    const acts = at('acts');
    harvest(acts, identity(), documentLengths(40));
    const out = await train('topk', acts, 'width=12', 'k=2', 'batch=100', 'heldOut=0.3');
    const { code, out: text, err } = await run('eval', out, '--json');
    expect(code, err).toBe(0);
    expect(err).toContain('without the language model: the language model is not at models/tiny any more');
    const { core } = JSON.parse(text) as { core: Report };
    expect(core.mse.definition).toMatch(/over \d+ held-out documents$/);
    expect(core.skipped.kl_sae).toContain('--model');
    const refused = await run('eval', out, '--model', at('nowhere'));
    expect([refused.code, refused.out]).toEqual([2, '']);
    expect(refused.err).toContain('the model folder does not exist');
  });

  describe('--forest', () => {
    /** h-sae of 16 experts with its default of 16 atoms each. */
    const width = 16 * 17;
    it('is judged in place of the own one, by the suite hierarchy', async () => {
      const parent = Int32Array.from({ length: width }, (_, i) => (i < 16 ? -1 : i % 16));
      const rows = ['--suite', 'hierarchy', '--rows', '1k'];
      const given = await run('eval', toy, ...rows, '--forest', forestFile(parent), '--json');
      expect(given.code, given.err).toBe(0);
      const { hierarchy } = JSON.parse(given.out) as { hierarchy: Report };
      expect(hierarchy.pairs.value).toBe(width - 16);
      expect(hierarchy.p_parent_given_child.definition).toContain('the forest that was given');
      const own = await run('eval', toy, ...rows, '--json');
      const report = (JSON.parse(own.out) as { hierarchy: Report }).hierarchy;
      expect(report.p_parent_given_child.definition).toContain("the SAE's own forest");
      expect(report.p_parent_given_child.value).toBe(1);
      expect(report.p_parent_given_child.nulls!.shuffled.value).toBeLessThan(0.7);
    });

    it('with a cycle is refused', async () => {
      const parent = new Int32Array(width).fill(-1);
      parent.set([1, 2, 0]);
      const { code, out, err } = await run('eval', toy, '--suite', 'hierarchy', '--forest', forestFile(parent));
      expect([code, out]).toEqual([2, '']);
      expect(err).toContain('cycle: each node is the child of the next: 0 → 1 → 2 → 0');
    });

    it('of another width is refused', async () => {
      const { code, out, err } = await run('eval', toy, '--forest', forestFile(new Int32Array(7).fill(-1)));
      expect([code, out]).toEqual([2, '']);
      expect(err).toContain(`the forest has 7 latents, the SAE ${width}`);
    });
  });

  it('names what it does not know', async () => {
    const unknown = await run('eval', toy, '--suite', 'cor');
    expect([unknown.code, unknown.out]).toEqual([2, '']);
    expect(unknown.err).toContain('unknown suite "cor"; did you mean "core"?');
    const none = await run('eval', folder.path);
    expect(none.code).toBe(2);
    expect(none.err).toContain('not a run folder');
  });
});
