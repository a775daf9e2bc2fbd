/** Trainings that are killed at random moments, most of them while a checkpoint is written; needs the built program. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import { openRun } from '../../src/training/runs.ts';
import { wordFile, wordModel } from '../lm/words.ts';
import {
  finalState,
  launch,
  makeShards,
  SMALL,
  sets,
  temporaries,
  temporaryFolder,
  timelessMetrics,
  type Ended,
} from './support.ts';

/** Every second step is saved, so that saving takes most of the time. */
const FLAGS = ['--threads', '1', ...SMALL, ...sets('checkpointEvery=2')];

/** Kills a training some ms after it began to train, or after it was started. */
function killed(argv: string[], random: Random): Promise<Ended> {
  const early = random.uniform() < 0.15;
  const delay = random.uniform() * (early ? 600 : 150);
  let timer: NodeJS.Timeout | undefined;
  return launch(argv, (child, err) => {
    // The first line with a speed comes with the first step.
    if (early || err.includes('tok/s')) timer ??= setTimeout(() => child.kill('SIGKILL'), delay);
  });
}

/** `latest` names a checkpoint that loads, and besides those that are kept there is at most one unfinished thing. */
async function expectUsable(folder: string): Promise<void> {
  if (!existsSync(join(folder, 'latest'))) return;
  const device = new ReferenceDevice();
  const { sae, step } = openRun(folder, device);
  expect(step).toBeGreaterThanOrEqual(0);
  for (const { tensor } of sae.parameters) {
    const values = await device.read(tensor as typeof tensor & { dtype: 'f32' });
    expect(values.every(Number.isFinite)).toBe(true);
  }
  expect(temporaries(folder).length).toBeLessThanOrEqual(2);
}

async function survives(kills: number, seed: string, start: string[], members: (out: string) => string[]) {
  const whole = join(temporaryFolder(), 'run');
  const uninterrupted = await launch(['train', '--out', whole, ...start]);
  expect(uninterrupted, uninterrupted.err).toMatchObject({ code: 0 });

  const random = new Random(0, seed);
  let done = 0;
  let resumed = 0;
  while (done < kills) {
    const out = join(temporaryFolder(), 'run');
    let ended: Ended;
    do {
      const isRun = members(out).every((folder) => existsSync(join(folder, 'config.yaml')));
      if (members(out).some((folder) => existsSync(join(folder, 'latest')))) resumed++;
      const argv = ['train', '--out', out, ...(isRun ? ['--resume'] : start)];
      ended = done < kills ? await killed(argv, random) : await launch(argv);
      if (ended.signal === 'SIGKILL') done++;
      else expect(ended, ended.err).toMatchObject({ code: 0 });
      for (const folder of members(out)) await expectUsable(folder);
    } while (ended.signal === 'SIGKILL');
    for (const [i, folder] of members(out).entries()) {
      const reference = members(whole)[i];
      expect(finalState(folder)).toEqual(finalState(reference));
      expect(temporaries(folder)).toEqual([]);
      expect(timelessMetrics(folder)).toEqual(timelessMetrics(reference));
    }
  }
  expect(resumed).toBeGreaterThan(kills / 3);
}

describe('a training that is killed', () => {
  it('ends with the same bits: topk on shards', { timeout: 180_000 }, async () => {
    const acts = makeShards(join(temporaryFolder(), 'acts'));
    const start = ['--acts', acts, '--arch', 'topk', '--tokens', '4800', ...FLAGS];
    await survives(12, 'shards', start, (out) => [out]);
  });

  it('ends with the same bits: two layers of a language model that runs beside it', { timeout: 240_000 }, async () => {
    const source = ['--acts', 'live', '--model', wordModel(), '--text', wordFile(60)];
    const saes = ['--sae', 'topk:layer=0', '--sae', 'topk:layer=1'];
    const reading = sets('live.context=16', 'live.window=256', 'live.separator="---"', 'live.pack=true');
    const start = [...source, ...saes, '--tokens', '3200', ...FLAGS, ...reading];
    await survives(6, 'live', start, (out) => [join(out, 'topk-layer=0'), join(out, 'topk-layer=1')]);
  });

  it(
    'ends with the same bits: two architectures, one of which may be a checkpoint ahead',
    { timeout: 180_000 },
    async () => {
      const start = ['--acts', 'synthetic:toy-tree', '--sae', 'topk', '--sae', 'h-sae', '--tokens', '3200', ...FLAGS];
      await survives(12, 'both', start, (out) => [join(out, 'topk'), join(out, 'h-sae')]);
    },
  );
});
