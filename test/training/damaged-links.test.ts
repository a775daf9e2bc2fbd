/**
 * Links between latents are indices that kernels use without a second look: what a checkpoint holds is checked when it is read, by
 * every command.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';
import { writeSafetensors, type TensorData } from '../../src/formats/safetensors-writer.ts';
import { temporaryFolder as folderForAll } from '../activations/folders.ts';
import { digests, jsonOf, latestOf, run, sets, SMALL_RUN, temporaryFolder } from './support.ts';

const shared = folderForAll();
const ROOT = 2 ** 32 - 1;

const HSAE = ['widths=[4,6,8]', 'targetL0=[2]', 'thresholdInit=0.1'];
const TREE = ['layers=[4,6,8]', 'k=[1,1,1]'];

const whole = (arch: string): string => join(shared.path, arch);

beforeAll(async () => {
  for (const [arch, settings] of [
    ['hsae-forest', HSAE],
    ['tree-sae', TREE],
  ] as const) {
    const flags = ['--acts', 'synthetic:toy-tree', '--tokens', '320', '--threads', '1', ...SMALL_RUN];
    const ended = await run('train', '--arch', arch, '--out', whole(arch), ...flags, ...sets(...settings));
    expect(ended.code, ended.err).toBe(0);
  }
}, 60_000);
afterAll(shared.remove);

function copyOf(arch: string): string {
  const folder = join(temporaryFolder(), 'run');
  cpSync(whole(arch), folder, { recursive: true });
  return folder;
}

/** Rewrites trainer.safetensors with one u32 tensor changed. */
function damage(folder: string, name: string, change: (values: Uint32Array) => Uint32Array): void {
  const path = join(latestOf(folder), 'trainer.safetensors');
  const file = SafetensorsFile.open(path);
  const tensors: Record<string, TensorData> = {};
  for (const [key, { dtype, shape }] of file.tensors) tensors[key] = { dtype, shape, data: file.read(key) };
  const changed = change(file.readUint32(name));
  tensors[name] = { dtype: 'U32', shape: [changed.length], data: changed };
  file.close();
  writeSafetensors(path, tensors);
}

const setting =
  (latent: number, parent: number) =>
  (values: Uint32Array): Uint32Array =>
    values.with(latent, parent);

const EVAL = ['eval', '--rows', '100'];
const EVERY_COMMAND = [EVAL, ['extract'], ['train', '--resume', '--out']];

/** Commands say what is wrong with a run and leave it as it is. */
async function expectRefusal(folder: string, message: RegExp, commands: readonly string[][] = [EVAL]): Promise<void> {
  const before = digests(folder);
  for (const command of commands) {
    const { code, out, err } = await run(...command, folder);
    expect([code, out], command[0]).toEqual([2, '']);
    expect(err, command[0]).toMatch(message);
    expect(err).not.toContain('    at ');
  }
  expect(digests(folder)).toEqual(before);
}

describe.each([
  // Latents 0 … 3, 4 … 9 and 10 … 17 are the levels.
  ['hsae-forest', 'parents', 'a parent beyond the width', setting(5, 18), /latent 5 .* names 18/],
  ['hsae-forest', 'parents', 'a parent far beyond', setting(5, 2 ** 31 + 5), /latent 5 .* names 2147483653/],
  ['hsae-forest', 'parents', 'a parent that is nearly no parent', setting(5, ROOT - 1), /latent 5/],
  ['hsae-forest', 'parents', 'a parent of its own level', setting(5, 6), /latent 5 .* names 6/],
  ['hsae-forest', 'parents', 'itself', setting(5, 5), /latent 5 .* names 5/],
  ['hsae-forest', 'parents', 'a parent two levels up', setting(12, 1), /latent 12 of level 3 names 1/],
  ['hsae-forest', 'parents', 'a parent of the first level', setting(0, 5), /latent 0 of level 1 names 5/],
  ['hsae-forest', 'parents', 'too few links', (values) => values.slice(1), /shape \[17\], expected \[18\]/],
  ['tree-sae', 'parent', 'a parent beyond the width', setting(5, 18), /node 5 names parent 18/],
  ['tree-sae', 'parent', 'a parent far beyond', setting(5, 2 ** 31 - 1), /node 5 names parent 2147483647/],
  ['tree-sae', 'parent', 'a parent that is nearly the root', setting(5, ROOT - 1), /node 5 names parent -2/],
  ['tree-sae', 'parent', 'itself', setting(5, 5), /cycle: .*5 → 5/],
  ['tree-sae', 'parent', 'a cycle', (values) => setting(5, 12)(setting(12, 5)(values)), /cycle: .*5 → 12/],
  ['tree-sae', 'parent', 'a parent of its own layer', (values) => setting(6, ROOT)(setting(5, 6)(values)), /orphan/],
  ['tree-sae', 'parent', 'a parent of the first layer', (values) => setting(5, ROOT)(setting(0, 5)(values)), /orphan/],
  [
    'tree-sae',
    'parent',
    'too many links',
    (values) => Uint32Array.of(...values, ROOT),
    /shape \[19\], expected \[18\]/,
  ],
] satisfies [string, string, string, (values: Uint32Array) => Uint32Array, RegExp][])(
  '%s: %s with %s',
  (arch, name, _, change, message) => {
    it('is refused', async () => {
      const folder = copyOf(arch);
      damage(folder, name, change);
      await expectRefusal(folder, message);
    });
  },
);

it.each([
  ['hsae-forest', 'parents'],
  ['tree-sae', 'parent'],
])('every command names the file of %s, and what to do', async (arch, name) => {
  const folder = copyOf(arch);
  damage(folder, name, setting(5, 18));
  const message = /18.*\n {2}in: .*trainer\.safetensors\n {2}try: the checkpoint is damaged/;
  await expectRefusal(folder, message, EVERY_COMMAND);
});

describe('also refused', () => {
  it('weights that are not finite', async () => {
    const folder = copyOf('tree-sae');
    const path = join(latestOf(folder), 'sae_weights.safetensors');
    const bytes = readFileSync(path);
    bytes.writeFloatLE(NaN, bytes.length - 4);
    writeFileSync(path, bytes);
    await expectRefusal(folder, /tensor .* holds numbers that are not finite/);
  });

  it.each([
    ['without a number', { interval: 3, resetDone: 0 }],
    ['with one of another architecture', { interval: 3, sinceReallocation: 0, resetDone: 0, threshold: 1 }],
  ])('a host state %s', async (_, hostState) => {
    const folder = copyOf('tree-sae');
    const path = join(latestOf(folder), 'state.json');
    writeFileSync(path, JSON.stringify({ ...jsonOf(path), hostState }));
    await expectRefusal(folder, /hostState has .*, expected interval, resetDone, sinceReallocation\n.*state\.json/);
  });

  it('a config.yaml with another shape of the same size, or keys of another architecture', async () => {
    const folder = copyOf('hsae-forest');
    const path = join(folder, 'config.yaml');
    const text = readFileSync(path, 'utf8');
    const [four, six] = ['\n  - 4\n', '  - 6\n'];
    expect(text).toContain(four + six);
    writeFileSync(path, text.replace(four + six, `\n  - 6\n  - 4\n`));
    const message = /trained with another configuration: widths: was \[4,6,8\], now \[6,4,8\]\n.*config\.yaml/;
    await expectRefusal(folder, message, EVERY_COMMAND);
    writeFileSync(path, `${text}k: 3\n`);
    await expectRefusal(folder, /unknown key "k"/);
    writeFileSync(path, text.replace('arch: hsae-forest', 'arch: tree-sae'));
    await expectRefusal(folder, /unknown key "widths"/);
  });
});
