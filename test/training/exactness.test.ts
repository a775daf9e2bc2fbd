/** Same seed, same bits: whatever the threads, the interruptions and the company. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder as folderForAll } from '../activations/folders.ts';
import { finalState, interrupted, makeShards, run, SMALL, sets, temporaryFolder, timelessMetrics } from './support.ts';

const shared = folderForAll();
const SHARDS = join(shared.path, 'acts');
const ARCHITECTURES = ['topk', 'h-sae', 'matryoshka'] as const;
const OWN_SETTINGS = {
  topk: [],
  'h-sae': ['h-sae.atoms=3', 'h-sae.subspace=2'],
  // Draws in every step, and a threshold that starts within the run.
  matryoshka: [
    'matryoshka.prefixes=random',
    'matryoshka.randomPrefixes=3',
    'matryoshka.thresholdFrom=5',
    'matryoshka.deadAfter=100',
  ],
} as const;

beforeAll(() => void makeShards(SHARDS));
afterAll(shared.remove);

/** Flags of a training of 30 steps. */
function flags(...names: (typeof ARCHITECTURES)[number][]): string[] {
  const own = names.flatMap((name) => [...OWN_SETTINGS[name]]);
  return [...names.flatMap((name) => ['--arch', name]), '--tokens', '960', ...sets('checkpointEvery=8', ...own)];
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
  /** Of one run of each architecture, alone, on one thread. */
  const alone: Record<string, unknown> = {};

  beforeAll(async () => {
    folder = join(shared.path, acts === SHARDS ? 'on-shards' : 'on-tree');
    for (const arch of ARCHITECTURES) {
      const out = await train(acts, join(folder, arch), '--threads', '1', ...flags(arch));
      alone[arch] = finalState(out);
    }
  });

  it.each(ARCHITECTURES)('%s: again, and on two threads', async (arch) => {
    const out = temporaryFolder();
    for (const threads of ['1', '2']) {
      await train(acts, join(out, threads), '--threads', threads, ...flags(arch));
      expect(finalState(join(out, threads))).toEqual(alone[arch]);
    }
  });

  it.each(ARCHITECTURES)('%s: with the config.yaml of another run', async (arch) => {
    const out = join(temporaryFolder(), 'run');
    const ended = await run('train', '--config', join(folder, arch, 'config.yaml'), '--out', out);
    expect(ended.code, ended.err).toBe(0);
    expect(finalState(out)).toEqual(alone[arch]);
    const [config, again] = [join(folder, arch), out].map((at) => readFileSync(join(at, 'config.yaml'), 'utf8'));
    expect(again).toBe(config);
  });

  it('several architectures on one stream', async () => {
    const out = await train(acts, join(temporaryFolder(), 'all'), ...flags('h-sae', 'matryoshka', 'topk'));
    for (const arch of ARCHITECTURES) expect(finalState(join(out, arch))).toEqual(alone[arch]);
  });

  it('another seed gives something else', async () => {
    const out = await train(acts, temporaryFolder(), '--seed', '1', ...flags('topk'));
    expect(finalState(out)).not.toEqual(alone.topk);
  });

  it.each([[['topk']], [['h-sae']], [['matryoshka']], [['topk', 'h-sae']]] as const)(
    '%s: interrupted after every step',
    async (names) => {
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
    },
  );
});
