/** The synthetic benchmark from the command line, at a small size. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { finalState, interrupted, jsonOf, run, SMALL, sets, temporaryFolder } from '../training/support.ts';

const ACTS = ['--acts', 'synthetic:bench-16k', '--tokens', '960', ...SMALL];
const SHAPE = ['--set', 'synthBench={features: 120, d: 24, roots: 4, branching: 3, depth: 2, heldOutRows: 500}'];
const SAES = ['--sae', 'topk', '--sae', 'h-sae:atoms=3'];

describe('training on synthetic:bench-16k', () => {
  it('stopped and resumed, gives the same bytes as without a pause', async () => {
    const [whole, pieces] = ['whole', 'pieces'].map((name) => join(temporaryFolder(), name));
    const done = await run('train', '--out', whole, ...ACTS, ...SHAPE, ...SAES);
    expect(done.code, done.err).toBe(0);
    const stopped = await interrupted('train', '--out', pieces, ...ACTS, ...SHAPE, ...SAES);
    expect(stopped.code, stopped.err).toBe(130);
    const resumed = await run('train', '--resume', '--out', pieces);
    expect(resumed.code, resumed.err).toBe(0);
    for (const name of ['topk', 'h-sae']) {
      expect(finalState(join(pieces, name))).toEqual(finalState(join(whole, name)));
      // Every parameter stands in the configuration, so that the run says what it was trained on.
      const config = readFileSync(join(whole, name, 'config.yaml'), 'utf8');
      expect(config).toMatch(/synthBench:\n {2}features: 120\n/);
      expect(config).toContain('correlationRank: 25');
    }
  });

  it('is evaluated on its held-out rows', async () => {
    const out = join(temporaryFolder(), 'run');
    expect((await run('train', '--out', out, ...ACTS, ...SHAPE, '--arch', 'topk')).code).toBe(0);
    const evaluated = await run('eval', out, '--rows', '200');
    expect(evaluated.code, evaluated.err).toBe(0);
    expect(jsonOf(join(out, 'evals', 'core.json'))).toMatchObject({
      measured: { acts: 'synthetic:bench-16k', rows: 200 },
    });
  });

  it.each([
    ['synthBench={features: 100}', 'synthBench.features: 128 trees of branching 4 and depth 3 need 10880 features'],
    ['synthBench={maxProbability: 2}', 'synthBench.maxProbability: '],
    ['synthBench={minProbability: 0.5}', 'synthBench.minProbability: more than maxProbability'],
    ['synthBench={root: 3}', 'unknown key "synthBench.root"; did you mean "synthBench.roots"?'],
  ])('%s is refused', async (setting, message) => {
    const out = join(temporaryFolder(), 'run');
    const ended = await run('train', '--out', out, ...ACTS, '--arch', 'topk', ...sets(setting));
    expect([ended.code, ended.out]).toEqual([2, '']);
    expect(ended.err).toContain(message);
    expect(existsSync(out)).toBe(false);
  });

  it('is named where a source is not known, and in --help', async () => {
    const out = join(temporaryFolder(), 'run');
    const ended = await run('train', '--out', out, '--acts', 'synthetic:bench-16', '--arch', 'topk');
    expect(ended.err).toContain('did you mean "synthetic:bench-16k"? Known: synthetic:toy-tree, synthetic:bench-16k');
    expect((await run('train', '--help')).out).toContain('synthetic:bench-16k');
  });
});
