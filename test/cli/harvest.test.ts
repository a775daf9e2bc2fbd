import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { main } from '../../src/cli/main.ts';
import { completeFolder, temporaryFolder } from '../lm/folder.ts';
import { tinyTransformer } from '../lm/tiny.ts';

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => ((out += String(chunk)), true));
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => ((err += String(chunk)), true));
  const code = await main(argv);
  vi.restoreAllMocks();
  return { code, out, err };
}

afterEach(() => vi.restoreAllMocks());

function textFile(content: string | Uint8Array): string {
  const path = join(temporaryFolder(), 'text.txt');
  writeFileSync(path, content);
  return path;
}

/** A model whose embedding of "cat" is `value` in one element. */
function tinyModel(value = 1): string {
  const { model } = tinyTransformer({ layers: 2, wiring: 'sequential' });
  const { rawData } = model.graph!.initializer[0];
  new DataView(rawData.buffer, rawData.byteOffset).setFloat32(4 * 4 * 8, value, true);
  return completeFolder(model);
}

interface Flags {
  model: string;
  text: string;
  layer: string;
  tokens: string;
  out: string;
  context: string;
  dtype: string;
}

const TEXT = 'the dog sees the cat\n<|endoftext|>\nthe cat sees\n';

function flags(changes: Partial<Flags> = {}): string[] {
  const all = {
    model: changes.model ?? tinyModel(),
    text: changes.text ?? textFile(TEXT),
    layer: '1',
    tokens: '100',
    out: join(temporaryFolder(), 'acts'),
    context: '16',
    ...changes,
  };
  return ['harvest', '--threads', '1', ...Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])];
}

/** One message of the expected kind, and no folder. */
async function expectRefusal(changes: Partial<Flags>, message: RegExp): Promise<void> {
  const out = join(temporaryFolder(), 'acts');
  const { code, out: printed, err } = await run(...flags({ out, ...changes }));
  expect([code, printed]).toEqual([2, '']);
  expect(err).toMatch(message);
  expect(err.match(/^error: /gm)).toHaveLength(1);
  expect(err).not.toContain('    at ');
  expect(existsSync(out)).toBe(false);
}

describe('harvest', () => {
  it('prints one JSON document', async () => {
    const [out, model, first, second] = [
      join(temporaryFolder(), 'a'),
      tinyModel(),
      textFile(TEXT),
      textFile('the dog'),
    ];
    const {
      code,
      out: printed,
      err,
    } = await run(...flags({ out, model, text: first }), '--text', second, '--json', '--keep-bos', '--seed', '3');
    expect(code).toBe(0);
    expect(JSON.parse(printed)).toMatchObject({
      out,
      rows: 10,
      wanted: 100,
      exhausted: true,
      documents: 3,
      shards: 1,
      d: 8,
      layer: 1,
      dtype: 'F16',
      tensor: expect.any(String) as string,
      tokens_per_s: expect.any(Number) as number,
    });
    expect(err).toContain('the texts hold only 10 rows of the 100 asked for');
    expect(readdirSync(out).sort()).toEqual(['acts-00000.safetensors', 'manifest.json']);
    const again = await run(...flags({ out, model, text: first }), '--text', second, '--keep-bos', '--seed', '3');
    expect([again.code, again.out]).toEqual([2, '']);
    expect(again.err).toContain('the harvest is already complete: 10 rows');
    const other = await run(...flags({ out, model, text: first }), '--text', second, '--keep-bos', '--seed', '4');
    expect(other.code).toBe(2);
    expect(other.err).toContain('seed: 3 in the folder, 4 asked for');
  });

  it('prints a summary', async () => {
    const { code, out } = await run(...flags({ tokens: '5', dtype: 'bf16' }));
    expect(code).toBe(0);
    expect(out).toMatch(/^\d rows of width 8 from \d documents, as BF16$/m);
    expect(out).toMatch(/^layer 1 resid_post \(t\d+\): 1 shards in .*acts, mean norm /m);
  });
});

describe('harvest refuses', () => {
  it('a missing or damaged model', async () => {
    await expectRefusal({ model: '/nowhere' }, /the model folder does not exist\n {2}in: \/nowhere/);
    const damaged = tinyModel();
    writeFileSync(join(damaged, 'onnx', 'model.onnx'), readFileSync(join(damaged, 'onnx', 'model.onnx')).subarray(99));
    await expectRefusal({ model: damaged }, /model\.onnx/);
  });

  it('a layer that the model does not have', async () => {
    await expectRefusal({ layer: '2' }, /there is no layer 2: the model has layers 0 to 1/);
    await expectRefusal({ layer: '-1' }, /layer/);
  });

  it('bad texts', async () => {
    await expectRefusal({ text: textFile('') }, /the text is empty/);
    await expectRefusal({ text: textFile('\n<|endoftext|>\n \n') }, /the text is empty/);
    await expectRefusal({ text: textFile(Buffer.from([0x61, 0xc3, 0x28])) }, /not valid UTF-8 at byte 1/);
    await expectRefusal({ text: '/nowhere.txt' }, /cannot read the text: no such file\n {2}in: \/nowhere\.txt/);
  });

  it('bad numbers', async () => {
    await expectRefusal({ tokens: 'many' }, /tokens/);
    await expectRefusal({ tokens: '0' }, /tokens/);
    await expectRefusal({ dtype: 'f8' }, /dtype/);
  });

  it('activations that cannot be stored', async () => {
    await expectRefusal({ model: tinyModel(1e6) }, /does not fit into F16: .*token 4\)/);
    await expectRefusal({ model: tinyModel(NaN), dtype: 'f32' }, /the model gave NaN at row \d+ \(document \d/);
  });

  it('folders that hold something else, and leaves them alone', async () => {
    const out = temporaryFolder();
    writeFileSync(join(out, 'thesis.txt'), 'years of work');
    const { code, err } = await run(...flags({ out }));
    expect(code).toBe(2);
    expect(err).toContain('the folder holds other files (thesis.txt) and no manifest');
    expect(readdirSync(out)).toEqual(['thesis.txt']);
    const file = join(out, 'thesis.txt');
    const onFile = await run(...flags({ out: file }));
    expect(onFile.code).toBe(2);
    expect(onFile.err.match(/^error: /gm)).toHaveLength(1);
    expect(readFileSync(file, 'utf8')).toBe('years of work');
  });

  it('a full disk', async ({ skip }) => {
    const disk = mountSmallDisk();
    if (disk === undefined) return skip('no small file system can be mounted by this user');
    const text = textFile('the cat sees the dog '.repeat(5000).trim());
    const { code, err } = await run(...flags({ out: join(disk, 'acts'), text, tokens: '20k' }));
    expect(code).toBe(2);
    expect(err).toMatch(/the disk is full/);
    expect(err.match(/^error: /gm)).toHaveLength(1);
    expect(readdirSync(disk)).toEqual([]);
  });
});

/** A file system of 64 KiB, gone after the test; undefined if this user may not mount one. */
function mountSmallDisk(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const folder = temporaryFolder();
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]).status !== 0) return undefined;
  onTestFinished(() => void spawnSync('umount', [folder]));
  return folder;
}
