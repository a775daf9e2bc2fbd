import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError, OutputError, SaeforestError } from '../../src/core/errors.ts';
import { f16ToF32Table, f32ToF16 } from '../../src/core/floats.ts';
import { LOCK_FILE } from '../../src/core/lock.ts';
import { ShardWriter } from '../../src/activations/shard-writer.ts';
import { verify } from '../../src/activations/verify.ts';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';
import { contents, documentBatch, documentLengths, harvest, identity, manifestOf, temporaryFolder } from './folders.ts';

let folder: ReturnType<typeof temporaryFolder>;
let path: string;
beforeEach(() => ({ path } = folder = temporaryFolder()));
afterEach(() => folder.remove());

const lengths = documentLengths(40);
const total = lengths.reduce((a, b) => a + b);

function failure(work: () => unknown): SaeforestError {
  try {
    work();
  } catch (error) {
    if (error instanceof SaeforestError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** What a process that no longer exists would have written. */
function lockOfDeadProcess(): string {
  const script = 'console.log(JSON.stringify({pid: process.pid, host: require("os").hostname()}))';
  return spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' }).stdout;
}

/** Appends a good batch, then one with `value` in its row 3. */
const spoiled = (dtype: 'F16' | 'BF16' | 'F32', value: number): SaeforestError => {
  const writer = ShardWriter.open(path, identity({ dtype }));
  writer.append(documentBatch(0, 10, 0, 6), null);
  const batch = documentBatch(7, 5, 10, 6);
  batch.acts[3 * 6 + 2] = value;
  const error = failure(() => writer.append(batch, null));
  expect(writer.rows).toBe(10);
  writer.close();
  return error;
};

describe('a harvest', () => {
  it('writes shards that are cut at batches, and a manifest of them', async () => {
    harvest(path, identity(), lengths);
    const manifest = manifestOf(path);
    expect(readdirSync(path).sort()).toEqual([...manifest.shards.map(({ file }) => file), 'manifest.json']);
    expect(manifest).toMatchObject({ complete: true, counts: { rows: total, documents: 40, sequences: 40 } });
    let doc = 0;
    for (const shard of manifest.shards) {
      let rows = 0;
      expect(shard.firstDoc).toBe(doc);
      while (rows < 100 && doc < lengths.length) rows += lengths[doc++];
      expect(shard).toMatchObject({ rows, lastDoc: doc - 1 });
      const file = SafetensorsFile.open(join(path, shard.file));
      expect(file.tensors.get('acts')).toMatchObject({ dtype: 'F16', shape: [rows, 6] });
      const tokens = file.readInt32('tokens');
      const acts = file.readFloat32('acts');
      tokens.forEach((token, i) => expect(acts[6 * i]).toBe(token));
      file.close();
    }
    await expect(verify(path)).resolves.toEqual({ shards: manifest.shards.length, rows: total, complete: true });
  });

  it('takes statistics of the values as stored', () => {
    harvest(path, identity(), lengths);
    const { statistics } = manifestOf(path);
    const table = f16ToF32Table();
    const mean = new Float64Array(6);
    let norm = 0;
    let squared = 0;
    let firstRow = 0;
    for (const [doc, rows] of lengths.entries()) {
      const stored = Float32Array.from(documentBatch(doc, rows, firstRow, 6).acts, (x) => table[f32ToF16(x)]);
      for (let i = 0; i < rows; i++) {
        const row = stored.subarray(6 * i, 6 * i + 6);
        row.forEach((x, j) => (mean[j] += x / total));
        norm += Math.hypot(...row) / total;
        squared += row.reduce((sum, x) => sum + x * x, 0) / total;
      }
      firstRow += rows;
    }
    statistics.mean.forEach((x, j) => expect(x / mean[j]).toBeCloseTo(1, 10));
    expect(statistics.meanNorm / norm).toBeCloseTo(1, 10);
    expect(statistics.meanSquaredNorm / squared).toBeCloseTo(1, 10);
  });

  it.each(['F32', 'BF16'] as const)('stores %s', (dtype) => {
    harvest(path, identity({ dtype }), lengths);
    const file = SafetensorsFile.open(join(path, 'acts-00000.safetensors'));
    expect(file.tensor('acts').dtype).toBe(dtype);
    const original = documentBatch(0, lengths[0], 0, 6).acts;
    const tolerance = dtype === 'F32' ? 0 : 2 ** -8;
    file
      .readFloat32('acts')
      .subarray(0, original.length)
      .forEach((x, i) => expect(Math.abs(x - original[i])).toBeLessThanOrEqual(tolerance * Math.abs(original[i])));
    file.close();
  });

  it('takes bits of binary16 as they are', () => {
    harvest(path, identity(), lengths.slice(0, 8));
    const files = contents(path);
    const other = join(path, 'bits');
    const writer = ShardWriter.open(other, identity());
    for (const [doc, rows] of lengths.slice(0, 8).entries()) {
      const batch = documentBatch(doc, rows, writer.rows, 6);
      writer.append({ ...batch, acts: Uint16Array.from(batch.acts, f32ToF16) }, { nextDocument: doc + 1 });
    }
    writer.finish();
    expect(contents(other)).toEqual(files);
  });

  it('without rows is complete and empty', () => {
    ShardWriter.open(path, identity()).finish();
    expect(manifestOf(path)).toMatchObject({ complete: true, counts: { rows: 0 }, shards: [] });
  });
});

describe('an interrupted harvest', () => {
  it('ends with the same bytes, however often it stops', () => {
    harvest(path, identity(), lengths);
    const expected = contents(path);
    fc.assert(
      fc.property(fc.array(fc.nat(lengths.length - 1), { maxLength: 6 }), (stops) => {
        const again = temporaryFolder();
        for (const stop of stops.toSorted((a, b) => a - b)) harvest(again.path, identity(), lengths, stop);
        harvest(again.path, identity(), lengths);
        expect(contents(again.path)).toEqual(expected);
        again.remove();
      }),
      { numRuns: 25 },
    );
  });

  it('goes on after a kill between shard and manifest, and drops the orphan', () => {
    harvest(path, identity(), lengths);
    const expected = contents(path);
    rmSync(path, { recursive: true });
    harvest(path, identity(), lengths, 20);
    const { shards } = manifestOf(path);
    const orphan = `acts-${String(shards.length).padStart(5, '0')}.safetensors`;
    writeFileSync(join(path, orphan), 'written, but not yet in the manifest');
    writeFileSync(join(path, 'acts-00099.safetensors'), '');
    writeFileSync(join(path, '.acts-00001.safetensors.01234567.tmp'), 'half');
    // The lock of a process that was killed.
    writeFileSync(
      join(path, LOCK_FILE),
      JSON.stringify({ ...JSON.parse(lockOfDeadProcess()), started: 'then', processStart: null, token: 'x' }),
    );
    harvest(path, identity(), lengths);
    expect(contents(path)).toEqual(expected);
  });

  it('a full disk leaves a folder to go on with', () => {
    const writer = ShardWriter.open(path, identity());
    // A folder in place of the next shard makes the final rename fail, as a full disk would make the write.
    mkdirSync(join(path, 'acts-00000.safetensors'));
    const error = failure(() => {
      for (let doc = 0; doc < 40; doc++) writer.append(documentBatch(doc, lengths[doc], writer.rows, 6), null);
    });
    expect(error).toBeInstanceOf(OutputError);
    writer.close();
    expect(readdirSync(path)).toEqual(['acts-00000.safetensors']);
    rmSync(join(path, 'acts-00000.safetensors'), { recursive: true });
    harvest(path, identity(), lengths);
    expect(manifestOf(path).complete).toBe(true);
  });

  const mounted = process.platform === 'linux' && process.getuid?.() === 0;
  it.runIf(mounted)('a disk that is really full', (context) => {
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path]).status !== 0) return context.skip();
    try {
      const wide = identity({ d: 64, dtype: 'F32' });
      const error = failure(() => harvest(path, wide, lengths));
      expect(error).toBeInstanceOf(OutputError);
      expect(error.message).toMatch(/disk is full/);
      const { shards } = manifestOf(path);
      expect(readdirSync(path).sort()).toEqual([...shards.map(({ file }) => file), 'manifest.json']);
      spawnSync('mount', ['-o', 'remount,size=4m', path]);
      harvest(path, wide, lengths);
      const whole = temporaryFolder();
      harvest(whole.path, wide, lengths);
      expect(contents(path)).toEqual(contents(whole.path));
      whole.remove();
    } finally {
      spawnSync('umount', [path]);
    }
  });
});

describe('a folder that cannot be used', () => {
  it('is complete', () => {
    harvest(path, identity(), lengths);
    const error = failure(() => ShardWriter.open(path, identity()));
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(/already complete/);
    expect(error.exitCode).toBe(2);
    expect(readdirSync(path)).not.toContain(LOCK_FILE);
  });

  it('holds another harvest: says what differs', () => {
    harvest(path, identity(), lengths, 20);
    const other = identity({ layer: 3, seed: 4 });
    const error = failure(() => ShardWriter.open(path, other));
    expect(error.message).toContain('layer: 2 in the folder, 3 asked for');
    expect(error.message).toContain('seed: 3 in the folder, 4 asked for');
    expect(error.message.split('\n')).toHaveLength(3);
  });

  it('the same model at another path is the same harvest', () => {
    harvest(path, identity(), lengths, 20);
    harvest(path, identity({ model: { ...identity().model, path: 'elsewhere' } }), lengths);
    expect(manifestOf(path).identity.model.path).toBe('models/tiny');
  });

  it('holds other files', () => {
    writeFileSync(join(path, 'thesis.tex'), '');
    expect(failure(() => ShardWriter.open(path, identity())).message).toMatch(/other files \(thesis.tex\)/);
    expect(readdirSync(path)).toEqual(['thesis.tex']);
  });

  it('lost a shard, or has it damaged', () => {
    harvest(path, identity(), lengths, 30);
    truncateSync(join(path, 'acts-00001.safetensors'), 500);
    expect(failure(() => ShardWriter.open(path, identity()))).toBeInstanceOf(InputError);
    rmSync(join(path, 'acts-00001.safetensors'));
    expect(failure(() => ShardWriter.open(path, identity())).message).toMatch(/no such file/);
  });

  it('is written by another process', () => {
    const writer = ShardWriter.open(path, identity());
    expect(failure(() => ShardWriter.open(path, identity())).message).toContain(`in use by process ${process.pid}`);
    writer.close();
    ShardWriter.open(path, identity()).close();
  });

  it('the harvest is described wrongly', () => {
    expect(failure(() => ShardWriter.open(path, identity({ d: 0 }))).message).toMatch(/^d: /);
  });
});

describe('values that cannot be stored', () => {
  it.each([NaN, Infinity, -Infinity])('%s', (value) => {
    const error = spoiled('F32', value);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toBe(`the model gave ${value} at row 13 (document 7, position 3, token 13), element 2`);
  });

  it('too large for their dtype', () => {
    expect(spoiled('F16', 65505).hint).toMatch(/bf16/);
  });

  it('too large for bfloat16', () => {
    expect(spoiled('BF16', 3.4e38).hint).toMatch(/f32/);
  });

  it('among bits of binary16', () => {
    const writer = ShardWriter.open(path, identity());
    for (const [code, message] of [
      [0x7c00, 'an activation of more than 65504 does not fit into F16: row 1 (document 0, position 1, token 1)'],
      [0xfc01, 'the model gave NaN at row 1 (document 0, position 1, token 1)'],
    ] as const) {
      const acts = new Uint16Array(4 * 6);
      acts[6 + 5] = code;
      const error = failure(() => writer.append({ ...documentBatch(0, 4, 0, 6), acts }, null));
      expect(error.message).toBe(`${message}, element 5`);
    }
    writer.close();
  });

  it('batches that contradict themselves are mistakes of the caller', () => {
    const writer = ShardWriter.open(path, identity({ dtype: 'BF16' }));
    expect(() => writer.append({ ...documentBatch(2, 4, 4, 6), acts: new Uint16Array(24) }, null)).toThrow(RangeError);
    writer.append(documentBatch(3, 4, 0, 6), null);
    expect(() => writer.append(documentBatch(2, 4, 4, 6), null)).toThrow(RangeError);
    expect(() => writer.append({ ...documentBatch(4, 4, 4, 6), rows: 5 }, null)).toThrow(RangeError);
    writer.close();
  });
});
