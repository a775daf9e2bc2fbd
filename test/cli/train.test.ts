/** `saeforest train` refuses what it cannot do: exit code 2, one message, nothing written and nothing lost. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { documentLengths, harvest, identity, temporaryFolder as folderForAll } from '../activations/folders.ts';
import {
  digests,
  finalState,
  interrupted,
  jsonOf,
  latestOf,
  launch,
  makeShards,
  run,
  SMALL,
  sets,
  temporaries,
  temporaryFolder,
  type Ended,
} from '../training/support.ts';

const shared = folderForAll();
const SHARDS = join(shared.path, 'acts');
const TREE = ['--acts', 'synthetic:toy-tree'];

beforeAll(() => void makeShards(SHARDS));
afterAll(shared.remove);

function expectOneMessage({ code, out, err }: Ended, message: RegExp | string): void {
  expect([code, out], err).toEqual([2, '']);
  if (typeof message === 'string') expect(err).toContain(message);
  else expect(err).toMatch(message);
  expect(err.match(/^(error|bug): /gm)).toEqual(['error: ']);
  expect(err).not.toContain('    at ');
}

async function expectRefusal(flags: readonly string[], message: RegExp | string): Promise<void> {
  const out = join(temporaryFolder(), 'deep', 'run');
  expectOneMessage(await run('train', '--out', out, '--tokens', '320', ...flags), message);
  expect(existsSync(join(out, '..'))).toBe(false);
}

function yaml(text: string): string {
  const file = join(temporaryFolder(), 'config.yaml');
  writeFileSync(file, text);
  return file;
}

describe('a command line that cannot be meant', () => {
  it.each([
    [['--arch', 'topk'], 'no activations given\n  try: --acts FOLDER'],
    [TREE, 'no architecture given'],
    [[...TREE, '--arch', 'topq'], 'unknown architecture "topq"; did you mean "topk"? Known: relu-l1, '],
    [[...TREE, '--arch', 'topk', '--arch', 'h-sae'], '--arch is for one SAE\n  try: several on the same stream: --sae'],
    [[...TREE, '--arch', 'topk', '--sae', 'topk'], '--arch is for one SAE'],
    [[...TREE, '--sae', 'topk', '--sae', 'topk:k=32'], 'two SAEs of this run have the same settings: topk\n  try: '],
    [[...TREE, '--sae', 'topk', '--sae', 'topq'], 'unknown architecture "topq"; did you mean "topk"?'],
    [[...TREE, '--sae', ':k=3'], 'unknown architecture ""'],
    [[...TREE, '--sae', 'topk:k'], '--sae topk:k: expected key=value, received "k"\n  try: --sae topk:'],
    [[...TREE, '--sae', 'topk:k=3,,width=4'], '--sae topk:k=3,,width=4: expected key=value, received ""'],
    [[...TREE, '--sae', 'topk:k=3,k=4'], '--sae topk:k=3,k=4: k is given twice'],
    [[...TREE, '--sae', 'topk:k=[3'], '--sae topk:k=[3: '],
    [[...TREE, '--acts', 'other', '--arch', 'topk'], 'acts: given twice'],
    [['--arch', 'topk', '--acts', 'synthetic:toytree'], 'unknown built-in source "synthetic:toytree"; did you mean'],
    [[...TREE, '--arch', 'topk', '--tokens', '0'], 'tokens: '],
    [[...TREE, '--arch', 'topk', '--tokens', 'many'], 'tokens: expected a positive whole number'],
    [[...TREE, '--arch', 'topk', '--threads', '0'], 'threads: '],
    [[...TREE, '--arch', 'topk', '--wdith', '3'], /unknown option "--wdith".*\n {2}try: saeforest train --help/],
    [[...TREE, '--arch', 'topk', 'stray'], 'unexpected argument "stray"'],
    [
      [...TREE, '--arch', 'topk', '--config', '/nowhere.yaml'],
      'cannot read configuration: no such file\n  in: /nowhere.yaml',
    ],
  ])('%j', async (flags, message) => {
    const tokens = flags.includes('--tokens') ? flags : ['--tokens', '320', ...flags];
    const out = join(temporaryFolder(), 'run');
    expectOneMessage(await run('train', '--out', out, ...tokens), message);
    expect(existsSync(out)).toBe(false);
  });

  it('nowhere to write to', async () => {
    expectOneMessage(await run('train', ...TREE, '--arch', 'topk'), 'out: is required');
    const file = yaml('');
    expectOneMessage(
      await run('train', ...TREE, '--arch', 'topk', ...SMALL, '--out', join(file, 'run')),
      'not a readable folder',
    );
  });

  it('an unknown command', async () => {
    expectOneMessage(await run('trian'), 'unknown command "trian"; did you mean "train"? Known: ');
  });
});

describe('a configuration that cannot be right', () => {
  it.each([
    [['widht=12'], 'unknown key "widht"; did you mean "width"?'],
    [['toyTree.rots=3'], 'unknown key "toyTree.rots"; did you mean "toyTree.roots"?'],
    [['width=many'], 'width: Invalid input: expected number, received string'],
    [['width=0'], 'width: '],
    [['width=-3'], 'width: '],
    [['width=12.5'], 'width: '],
    [['k=13', 'width=12'], 'k: 13 active latents of width 12'],
    [['lr=0'], 'lr: '],
    [['width'], '--set width: expected key=value\n  try: --set width=4096'],
    [['=3'], '--set =3: expected key=value'],
    [['width=[1'], '--set width=[1: '],
    [['h-sae.k=3'], 'unknown key "h-sae"'],
    [['width=100000000'], /out of device memory.*\n {2}try: a smaller width/],
  ])('--set %j', async (settings, message) => {
    await expectRefusal([...TREE, '--arch', 'topk', ...sets(...settings)], message);
  });

  it.each([
    [
      'h-sae:batch=64',
      'batch is a key of the whole run: all its SAEs see the same batches\n  in: --sae h-sae:batch=64',
    ],
    ['h-sae:k=13', 'k: 13 active latents of width 12; k can be at most the width\n  in: --sae h-sae:k=13'],
    ['h-sae:atmos=3', 'unknown key "atmos"; did you mean "atoms"?'],
    ['h-sae:k=many', 'k: Invalid input: expected number, received string\n  in: --sae h-sae:k=many'],
    ['topk:atoms=3', /unknown key "atoms".*\n {2}in: --sae topk:atoms=3/],
    ['h-sae:normalize=half', 'normalize: '],
    ['topk:width=100000000', 'out of device memory'],
  ])('of one SAE of several: %s', async (sae, message) => {
    await expectRefusal([...TREE, '--sae', 'topk', '--sae', sae, ...SMALL], message);
  });

  it.each([
    ['arch: topk\n\tk: 3', 'not valid YAML'],
    ['- topk', 'expected a mapping of keys to values'],
    ['', 'expected a mapping of keys to values'],
    ['saes: 3', 'saes: expected a list such as'],
    ['saes: []', 'saes: expected at least one SAE'],
    ['saes: [{k: 3}]', 'saes.0.arch: '],
    ['arch: topk\nsaes: [{arch: topk}]', 'arch and saes exclude each other'],
    ['acts: synthetic:toy-tree\nsaes: [{arch: topk}, {arch: h-sae, kk: 3}]', 'unknown key "kk"; did you mean "k"?'],
    ['arch: topk\nacts: synthetic:toy-tree\nbatsh: 3', 'unknown key "batsh"; did you mean "batch"?'],
    ['arch: topk\nacts: synthetic:toy-tree\nk: true', 'k: Invalid input: expected number, received boolean'],
  ])('in a file: %j', async (text, message) => {
    const file = yaml(text);
    await expectRefusal(['--config', file], message);
    await expectRefusal(['--config', file], `in: ${file}`);
  });
});

const train = (acts: string): string[] => ['--acts', acts, '--arch', 'topk', ...SMALL];

function damagedShards(damage: (folder: string) => void): string {
  const folder = join(temporaryFolder(), 'acts');
  cpSync(SHARDS, folder, { recursive: true });
  damage(folder);
  return folder;
}

/** Writes `bytes` near the end of a shard, where the activations are. */
function overwrite(folder: string, bytes: readonly number[], isKnown: boolean): void {
  const file = join(folder, 'acts-00000.safetensors');
  const content = readFileSync(file);
  content.set(bytes, content.length - 100);
  writeFileSync(file, content);
  if (!isKnown) return;
  const path = join(folder, 'manifest.json');
  const manifest = jsonOf(path) as { shards: { sha256: string }[] };
  manifest.shards[0].sha256 = createHash('sha256').update(content).digest('hex');
  writeFileSync(path, JSON.stringify(manifest));
}

function editManifest(folder: string, edit: (text: string) => string): void {
  const path = join(folder, 'manifest.json');
  writeFileSync(path, edit(readFileSync(path, 'utf8')));
}

describe('activations that cannot be used', () => {
  it('a folder that is missing, or no harvest', async () => {
    await expectRefusal(
      train('/nowhere'),
      'cannot read the manifest of an activation folder: no such file\n  in: /nowhere',
    );
    await expectRefusal(train(temporaryFolder()), 'cannot read the manifest of an activation folder: no such file');
  });

  it('an unfinished harvest', async () => {
    const acts = join(temporaryFolder(), 'acts');
    harvest(acts, identity(), documentLengths(40), 20);
    await expectRefusal(train(acts), /the harvest is not finished: \d+ rows so far\n.*\n {2}try: run the same harvest/);
  });

  it('too few rows', async () => {
    await expectRefusal(
      [...train(SHARDS), ...sets('batch=1000')],
      /only \d+ activations to train on.*\n.*\n.*batch=512/,
    );
  });

  it.each<[string, (folder: string) => void, RegExp]>([
    ['a wrong checksum', (folder) => overwrite(folder, [1, 2], false), /wrong checksum/],
    ['a value that is not a number', (folder) => overwrite(folder, [0xff, 0x7f], true), /row \d+ .* not finite/],
    ['a shard that is gone', (folder) => rmSync(join(folder, 'acts-00001.safetensors')), /no such file/],
    ['a manifest that is no JSON', (folder) => editManifest(folder, (text) => text.slice(1)), /not valid JSON/],
    [
      'a manifest with another width',
      (folder) => editManifest(folder, (text) => text.replace('"d": 6', '"d": 7')),
      /the manifest contradicts itself/,
    ],
    [
      'a manifest with another number of rows',
      (folder) => editManifest(folder, (text) => text.replace(/"rows": \d+/, '"rows": 7')),
      /the manifest contradicts itself/,
    ],
    [
      'a manifest with another type',
      (folder) => editManifest(folder, (text) => text.replace('"dtype": "F16"', '"dtype": "F32"')),
      /the manifest says F32/,
    ],
  ])('%s', async (_, damage, message) => {
    await expectRefusal(train(damagedShards(damage)), message);
  });

  it('a shard that is damaged later: the run can go on once it is restored', async () => {
    const acts = damagedShards(() => undefined);
    const whole = join(temporaryFolder(), 'whole');
    expect((await run('train', '--out', whole, '--tokens', '640', ...train(acts))).code).toBe(0);
    const out = join(temporaryFolder(), 'run');
    const stopped = await interrupted('train', '--out', out, '--tokens', '640', ...train(acts));
    const before = finalState(out);
    overwrite(acts, [1, 2], false);
    const refused = await run('train', '--resume', '--out', out);
    cpSync(SHARDS, acts, { recursive: true });
    expect([stopped.code, finalState(out)]).toEqual([130, before]);
    expectOneMessage(refused, 'wrong checksum');
    expect((await run('train', '--resume', '--out', out)).code).toBe(0);
    expect(finalState(out)).toEqual(finalState(whole));
  });
});

describe('a folder that is not free', () => {
  it('holds other files', async () => {
    const out = temporaryFolder();
    writeFileSync(join(out, 'thesis.txt'), 'years of work');
    expectOneMessage(await run('train', '--out', out, ...TREE, '--arch', 'topk'), 'not empty: it holds thesis.txt');
    expect(readdirSync(out)).toEqual(['thesis.txt']);
  });

  it('holds a run', async () => {
    const out = join(temporaryFolder(), 'run');
    const flags = ['--out', out, ...TREE, '--arch', 'topk', '--tokens', '320', ...SMALL];
    expect((await run('train', ...flags)).code).toBe(0);
    const before = digests(out);
    expectOneMessage(await run('train', ...flags), /not empty.*\n.*\n {2}try: add --resume to go on with this run/);
    expect(digests(out)).toEqual(before);
  });

  it('is in use by another process, which goes on', { timeout: 60_000 }, async () => {
    const out = join(temporaryFolder(), 'run');
    const flags = ['--out', out, ...TREE, '--arch', 'topk', '--tokens', '50M', ...SMALL];
    let second: Promise<Ended> | undefined;
    const first = await launch(['train', ...flags], (child, err) => {
      // One line of progress: it is training.
      if (err === '' || second) return;
      second = run('train', '--resume', '--out', out);
      void second.then(() => child.kill('SIGINT'));
    });
    expectOneMessage(await second!, /the folder is in use by process \d+ since/);
    expect(first, first.err).toMatchObject({ code: 130, out: '' });
  });
});

describe('a full disk', () => {
  it('loses nothing but the checkpoint it stops', { timeout: 60_000 }, async ({ skip }) => {
    const disk = mountSmallDisk();
    if (disk === undefined) return skip('no small file system can be mounted by this user');
    const flags = [...TREE, '--arch', 'topk', '--tokens', '640', ...SMALL, ...sets('width=400', 'checkpointEvery=4')];
    const whole = join(temporaryFolder(), 'run');
    expect((await run('train', '--out', whole, ...flags)).code).toBe(0);
    const out = join(disk, 'run');
    const first = await run('train', '--out', out, ...flags);
    expectOneMessage(first, /the disk is full.*\n {2}in: .*checkpoints.*\n {2}try: .*the same command with --resume/);
    expect(temporaries(out)).toEqual([]);
    const kept = finalState(out);
    expectOneMessage(await run('train', '--resume', '--out', out), 'the disk is full');
    expect([existsSync(latestOf(out)), finalState(out)]).toEqual([true, kept]);
    spawnSync('mount', ['-o', 'remount,size=4m', disk]);
    const last = await run('train', '--resume', '--out', out);
    expect(last.code, last.err).toBe(0);
    expect(finalState(out)).toEqual(finalState(whole));
  });
});

/** A file system with room for about two checkpoints, gone after the test; undefined if this user may not mount one. */
function mountSmallDisk(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const folder = temporaryFolder();
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=500k', 'tmpfs', folder]).status !== 0) return undefined;
  onTestFinished(() => void spawnSync('umount', [folder]));
  return folder;
}
