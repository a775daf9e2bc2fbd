/** Same seed, same bits: whatever the threads, the interruptions and the company. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { ShardSource } from '../../src/activations/shard-source.ts';
import { ToyTree } from '../../src/activations/toy-tree.ts';
import { temporaryFolder as folderForAll } from '../activations/folders.ts';
import { finalState, interrupted, makeShards, run, SMALL, sets, temporaryFolder, timelessMetrics } from './support.ts';

const shared = folderForAll();
const SHARDS = join(shared.path, 'acts');
/** By name in a folder of several: two normalisations, and one architecture twice. */
const SAES: Readonly<Record<string, string>> = {
  'topk-k=2': 'topk',
  'topk-k=3': 'topk:k=3',
  'h-sae': 'h-sae:atoms=3,subspace=2',
};
const NAMES = Object.keys(SAES);

beforeAll(() => void makeShards(SHARDS));
afterAll(shared.remove);

/** Flags of a training of 30 steps. */
function flags(...names: readonly string[]): string[] {
  return [...names.flatMap((name) => ['--sae', SAES[name]]), '--tokens', '960', ...sets('checkpointEvery=8')];
}

async function train(acts: string, out: string, ...more: string[]): Promise<string> {
  const ended = await run('train', '--acts', acts, '--out', out, ...SMALL, ...more);
  expect(ended.code, ended.err).toBe(0);
  return out;
}

describe.each([
  ['shards', SHARDS],
  ['synthetic:toy-tree', 'synthetic:toy-tree'],
])('training on %s', (_, acts) => {
  let folder: string;
  /** Of each SAE trained alone, on one thread. */
  const alone: Record<string, unknown> = {};

  beforeAll(async () => {
    folder = join(shared.path, acts === SHARDS ? 'on-shards' : 'on-tree');
    for (const arch of NAMES) {
      const out = await train(acts, join(folder, arch), '--threads', '1', ...flags(arch));
      alone[arch] = finalState(out);
    }
  });

  it.each(NAMES)('%s: again, and on two threads', async (arch) => {
    const out = temporaryFolder();
    for (const threads of ['1', '2']) {
      await train(acts, join(out, threads), '--threads', threads, ...flags(arch));
      expect(finalState(join(out, threads))).toEqual(alone[arch]);
    }
  });

  it.each(NAMES)('%s: with the config.yaml of another run', async (arch) => {
    const out = join(temporaryFolder(), 'run');
    const ended = await run('train', '--config', join(folder, arch, 'config.yaml'), '--out', out);
    expect(ended.code, ended.err).toBe(0);
    expect(finalState(out)).toEqual(alone[arch]);
    const [config, again] = [join(folder, arch), out].map((at) => readFileSync(join(at, 'config.yaml'), 'utf8'));
    expect(again).toBe(config);
  });

  it('several SAEs on one stream', async () => {
    const reads = vi.spyOn(acts === SHARDS ? ShardSource.prototype : ToyTree.prototype, 'batch');
    const out = await train(acts, join(temporaryFolder(), 'all'), ...flags(...NAMES));
    // One to see whether the data are readable, then each of the 30 once, whatever the SAEs and their normalisations.
    expect(reads).toHaveBeenCalledTimes(31);
    reads.mockRestore();
    expect(readdirSync(out).sort()).toEqual(NAMES.toSorted());
    for (const name of NAMES) expect(finalState(join(out, name))).toEqual(alone[name]);
  });

  it('the same as a list in a file, in another order', async () => {
    const file = join(temporaryFolder(), 'config.yaml');
    const saes = [{ arch: 'h-sae', atoms: 3, subspace: 2 }, { arch: 'topk', k: 3 }, { arch: 'topk' }];
    writeFileSync(file, stringify({ acts, tokens: 960, checkpointEvery: 8, saes }));
    const out = join(temporaryFolder(), 'all');
    const ended = await run('train', '--config', file, '--out', out, ...SMALL);
    expect(ended.code, ended.err).toBe(0);
    for (const name of NAMES) expect(finalState(join(out, name))).toEqual(alone[name]);
    // The same again has nothing to do, other SAEs are another run.
    expect((await run('train', '--resume', '--out', out, '--config', file)).code).toBe(0);
    expect((await run('train', '--resume', '--out', out, '--sae', 'topk')).err).toContain('trains 3 SAEs, not 1');
    const other = await run(
      'train',
      '--resume',
      '--out',
      out,
      ...flags('topk-k=2', 'topk-k=3'),
      '--sae',
      'h-sae:atoms=4',
    );
    expect(other.err).toContain('another configuration: atoms: was 3, now 4');
  });

  it('another seed gives something else', async () => {
    const out = await train(acts, temporaryFolder(), '--seed', '1', ...flags('topk-k=2'));
    expect(finalState(out)).not.toEqual(alone['topk-k=2']);
  });

  it.each([[['topk-k=2']], [['h-sae']], [NAMES]])('%s: interrupted after every step', async (names) => {
    const out = join(temporaryFolder(), 'run');
    const start = ['--acts', acts, ...SMALL, ...flags(...names), '--seed', '0'];
    let interruptions = 0;
    for (;;) {
      const ended = await interrupted('train', '--out', out, ...(existsSync(out) ? ['--resume'] : start));
      if (ended.code === 0) break;
      interruptions++;
      expect(ended.code, ended.err).toBe(130);
      expect(ended.err).toMatch(/^error: stopped after step \d+ of 30; everything is saved\n {2}try: .*--resume/m);
    }
    expect(interruptions).toBeGreaterThan(0);
    for (const name of names) {
      const member = names.length > 1 ? join(out, name) : out;
      expect(finalState(member)).toEqual(alone[name]);
      expect(timelessMetrics(member)).toEqual(timelessMetrics(join(folder, name)));
    }
  });
});
