/** What a killed process or a careless hand leaves in a run folder. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder as folderForAll } from '../activations/folders.ts';
import {
  digests,
  finalState,
  jsonOf,
  latestOf,
  metricsOf,
  run,
  SMALL,
  sets,
  temporaryFolder,
  timelessMetrics,
} from './support.ts';

const shared = folderForAll();
const WHOLE = join(shared.path, 'whole');
/** As a kill after step 12 of 20 would leave it. */
const STOPPED = join(shared.path, 'stopped');
const COMMON = ['--acts', 'synthetic:toy-tree', '--tokens', '640', '--threads', '1', ...SMALL];
const FLAGS = [...COMMON, '--arch', 'topk'];

beforeAll(async () => {
  const settings = sets('checkpointEvery=6', 'keepCheckpoints=9');
  const ended = await run('train', '--out', WHOLE, ...FLAGS, ...settings);
  expect(ended.code, ended.err).toBe(0);
  cpSync(WHOLE, STOPPED, { recursive: true });
  for (const late of ['0000018', '0000020']) rmSync(join(STOPPED, 'checkpoints', late), { recursive: true });
  writeFileSync(join(STOPPED, 'latest'), 'checkpoints/0000012\n');
});
afterAll(shared.remove);

function copyOfStopped(): string {
  const folder = join(temporaryFolder(), 'run');
  cpSync(STOPPED, folder, { recursive: true });
  return folder;
}

async function expectSameEnd(folder: string): Promise<void> {
  const ended = await run('train', '--resume', '--out', folder, '--threads', '1');
  expect(ended.code, ended.err).toBe(0);
  expect(finalState(folder)).toEqual(finalState(WHOLE));
}

describe('a run folder after a kill', () => {
  it('keeps the checkpoints it was told to keep', () => {
    expect(readdirSync(join(WHOLE, 'checkpoints')).sort()).toEqual([
      '0000000',
      '0000006',
      '0000012',
      '0000018',
      '0000020',
    ]);
  });

  it('loses unfinished checkpoints, and finished ones that latest does not name', async () => {
    const folder = copyOfStopped();
    for (const name of ['.0000018.tmp', '.0000007.tmp', '0000013']) {
      mkdirSync(join(folder, 'checkpoints', name));
      writeFileSync(join(folder, 'checkpoints', name, 'cfg.json'), 'half a');
    }
    writeFileSync(join(folder, '.run.json.0123abcd.tmp'), 'half a');
    await expectSameEnd(folder);
    expect(digests(join(folder, 'checkpoints'))).toEqual(digests(join(WHOLE, 'checkpoints')));
    expect(readdirSync(folder).sort()).toEqual(readdirSync(WHOLE).sort());
  });

  it('has every step once in metrics.jsonl, whatever the last line looks like', async () => {
    const folder = copyOfStopped();
    const file = join(folder, 'metrics.jsonl');
    truncateSync(file, readFileSync(file).length - 10);
    await expectSameEnd(folder);
    const keys = metricsOf(folder).map(({ step, validation }) => `${String(step)} ${validation ? 'validation' : ''}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(timelessMetrics(folder)).toEqual(timelessMetrics(WHOLE));
  });

  it('starts again when there is no checkpoint yet', async () => {
    const folder = copyOfStopped();
    rmSync(join(folder, 'checkpoints'), { recursive: true });
    rmSync(join(folder, 'latest'));
    await expectSameEnd(folder);
  });

  it('has nothing to do when the run is complete, and says what came out', async () => {
    const folder = join(temporaryFolder(), 'run');
    cpSync(WHOLE, folder, { recursive: true });
    const before = digests(join(folder, 'checkpoints'));
    const { code, out, err } = await run('train', '--resume', '--out', folder, '--json');
    expect([code, err]).toEqual([0, 'nothing to do: the run is complete\n']);
    const { runs } = JSON.parse(out) as { runs: { step: number; metrics: Record<string, unknown> }[] };
    expect(runs).toMatchObject([{ step: 20, metrics: { step: 19, validation: { rows: 64 } } }]);
    expect(digests(join(folder, 'checkpoints'))).toEqual(before);
  });

  it('of two runs waits with the one that is ahead', async () => {
    const out = join(temporaryFolder(), 'both');
    const both = [...COMMON, '--sae', 'topk', '--sae', 'h-sae:atoms=3', ...sets('checkpointEvery=6')];
    expect((await run('train', '--out', out, ...both)).code).toBe(0);
    const expected = ['topk', 'h-sae'].map((name) => finalState(join(out, name)));
    const later = join(out, 'h-sae', 'checkpoints');
    rmSync(latestOf(join(out, 'h-sae')), { recursive: true });
    writeFileSync(join(out, 'h-sae', 'latest'), `checkpoints/${readdirSync(later)[0]}\n`);
    const ended = await run('train', '--resume', '--out', out);
    expect(ended.code, ended.err).toBe(0);
    expect(['topk', 'h-sae'].map((name) => finalState(join(out, name)))).toEqual(expected);
  });
});

async function expectRefusal(folder: string, message: RegExp, ...flags: string[]): Promise<void> {
  const before = digests(folder);
  const { code, out, err } = await run('train', '--resume', '--out', folder, ...flags);
  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(message);
  expect(err.match(/^error: /gm)).toHaveLength(1);
  expect(err).not.toContain('    at ');
  expect(digests(folder)).toEqual(before);
}

describe('resume refuses, and changes nothing', () => {
  it('another configuration', async () => {
    await expectRefusal(
      copyOfStopped(),
      /started with another configuration: tokens: was 640, now 9000; seed: was 0, now 3; k: was 2, now 4/,
      '--tokens',
      '9000',
      '--seed',
      '3',
      ...sets('k=4'),
    );
    await expectRefusal(copyOfStopped(), /arch: was "topk", now "h-sae"/, '--arch', 'h-sae');
  });

  it('a config.yaml that was edited', async () => {
    const folder = copyOfStopped();
    const file = join(folder, 'config.yaml');
    writeFileSync(file, readFileSync(file, 'utf8').replace('k: 2', 'k: 3'));
    await expectRefusal(folder, /checkpoint was trained with another configuration: k: was 2, now 3\n.*config\.yaml/);
    writeFileSync(file, 'k: [');
    await expectRefusal(folder, /not valid YAML/);
  });

  it.each([
    ['sae_weights.safetensors', 'cut off', /sae_weights\.safetensors/],
    ['trainer.safetensors', 'cut off', /trainer\.safetensors/],
    ['trainer.safetensors', 'missing', /cannot read tensors: no such file/],
    ['state.json', 'cut off', /training state is not valid JSON/],
    ['state.json', '{"step": 12}', /adamSteps.*\n(.*\n)*.*state\.json/],
    ['cfg.json', '{}', /cfg\.json/],
  ])('a checkpoint whose %s is %s', async (name, damage, message) => {
    const folder = copyOfStopped();
    const file = join(latestOf(folder), name);
    if (damage === 'cut off') truncateSync(file, Math.floor(readFileSync(file).length / 2));
    else if (damage === 'missing') rmSync(file);
    else writeFileSync(file, damage);
    await expectRefusal(folder, message);
  });

  it('a checkpoint that is gone', async () => {
    const folder = copyOfStopped();
    rmSync(latestOf(folder), { recursive: true });
    await expectRefusal(folder, /no such file/);
  });

  it('a folder without a run', async () => {
    const folder = temporaryFolder();
    await expectRefusal(folder, /there is no run to resume\n {2}in: .*\n {2}try: train without --resume/);
    const nowhere = join(folder, 'nowhere');
    expect((await run('train', '--resume', '--out', nowhere)).code).toBe(2);
    expect(existsSync(nowhere)).toBe(false);
  });

  it('runs of which one was never set up', async () => {
    const out = temporaryFolder();
    cpSync(STOPPED, join(out, 'topk'), { recursive: true });
    mkdirSync(join(out, 'h-sae'));
    await expectRefusal(out, /h-sae holds no config\.yaml\n.*\n {2}try: nothing was trained yet/);
  });

  it('other data', async () => {
    const folder = copyOfStopped();
    const state = join(latestOf(folder), 'state.json');
    writeFileSync(state, JSON.stringify({ ...jsonOf(state), sourceHash: 'other' }));
    await expectRefusal(folder, /the activations are not those that this run was trained on/);
  });
});
