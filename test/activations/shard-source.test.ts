import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import type { Manifest } from '../../src/activations/manifest.ts';
import { normalize, NORMALIZATIONS } from '../../src/activations/normalization.ts';
import { NormalizedSource } from '../../src/activations/normalized-source.ts';
import { ShardSource, type ShardSourceOptions } from '../../src/activations/shard-source.ts';
import { ShardWriter } from '../../src/activations/shard-writer.ts';
import { verify } from '../../src/activations/verify.ts';
import { writeSafetensors } from '../../src/formats/safetensors.ts';
import { documentLengths, harvest, identity, manifestOf, temporaryFolder } from './folders.ts';

const lengths = documentLengths(80);
const total = lengths.reduce((a, b) => a + b);
const plain: ShardSourceOptions = { seed: 1 };

describe('a good folder', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  beforeAll(() => {
    folder = temporaryFolder();
    harvest(folder.path, identity(), lengths);
  });
  afterAll(() => folder.remove());

  it('holds out whole documents at the tail', async () => {
    const source = await ShardSource.open(folder.path, plain);
    const wanted = Math.floor(0.05 * total);
    let held = 0;
    for (let doc = lengths.length - 1; held + lengths[doc] <= wanted; doc--) held += lengths[doc];
    expect(source.heldOutRows).toBe(held);
    expect(source.trainRows).toBe(total - held);
    await source.close();
  });

  it.each<[Partial<ShardSourceOptions['heldOut'] & object>, number]>([
    [{ fraction: 0 }, 0],
    [{ fraction: 1e-9 }, lengths.at(-1)!],
    [{ maxRows: 1 }, lengths.at(-1)!],
    [{ fraction: 0.9, maxRows: lengths.at(-1)! + lengths.at(-2)! }, lengths.at(-1)! + lengths.at(-2)!],
  ])('held out %j', async (heldOut, rows) => {
    const source = await ShardSource.open(folder.path, { ...plain, heldOut });
    expect(source.heldOutRows).toBe(rows);
    await source.close();
  });

  it('a wrong split is a typed error', async () => {
    await expect(ShardSource.open(folder.path, { ...plain, heldOut: { fraction: 2 } })).rejects.toThrow(/fraction/);
  });

  it('an epoch of batches visits every training row once, whatever the batch size', async () => {
    for (const rows of [1, 7, 64, 300, 2 * total]) {
      const source = await ShardSource.open(folder.path, plain);
      const out = new Float32Array(rows * 6);
      const seen: number[] = [];
      for (let i = 0; seen.length < 2 * source.trainRows; i++) {
        await source.batch(i, out);
        for (let row = 0; row < rows; row++) seen.push(out[6 * row]);
      }
      const all = Array.from({ length: source.trainRows }, (_, i) => i);
      expect(seen.slice(0, all.length).sort((a, b) => a - b)).toEqual(all);
      expect(seen.slice(all.length, 2 * all.length).sort((a, b) => a - b)).toEqual(all);
      await source.close();
    }
  });

  it('a batch depends on seed and index only: any order of calls, all at once', async () => {
    const source = await ShardSource.open(folder.path, plain);
    const inOrder = [];
    for (let i = 0; i < 12; i++) {
      const out = new Float32Array(200 * 6);
      await source.batch(i, out);
      inOrder.push(out);
    }
    const other = await ShardSource.open(folder.path, { ...plain, seed: 2 });
    const outs = inOrder.map(() => new Float32Array(200 * 6));
    const held = new Float32Array(6);
    await Promise.all([11, 3, 4, 0, 1, 10, 2, 5, 9, 6, 7, 8].map((i) => source.batch(i, outs[i])));
    expect(outs).toEqual(inOrder);
    await other.batch(0, outs[0]);
    expect(outs[0]).not.toEqual(inOrder[0]);
    await other.close();
    await source.heldOut(0, held);
    expect(held[0]).toBe(source.trainRows);
    await source.close();
    expect(() => source.batch(0, held)).toThrow(RangeError);
  });

  it('hands out held-out rows in order with their origins', async () => {
    const source = await ShardSource.open(folder.path, { ...plain, heldOut: { fraction: 0.5 } });
    const rows = 77;
    const seen: number[] = [];
    for (let start = 0; ; start += rows) {
      const out = new Float32Array(rows * 6);
      const [tokens, pos, doc] = [0, 1, 2].map(() => new Int32Array(rows));
      const count = await source.heldOut(start, out, { tokens, pos, doc });
      for (let row = 0; row < count; row++) {
        expect(out[6 * row]).toBe(tokens[row]);
        expect(pos[row] === 0).toBe(row === 0 ? pos[0] === 0 : doc[row] !== doc[row - 1]);
        seen.push(tokens[row]);
      }
      if (count < rows) break;
    }
    expect(seen).toEqual(Array.from({ length: source.heldOutRows }, (_, i) => source.trainRows + i));
    expect(await source.heldOut(source.heldOutRows + 5, new Float32Array(6))).toBe(0);
    await source.close();
  });

  it.each(NORMALIZATIONS)('batches and held-out rows are normalised: %s', async (kind) => {
    const raw = await ShardSource.open(folder.path, plain);
    const source = await NormalizedSource.wrap(raw, kind);
    expect(source.raw ?? source).toBe(raw);
    for (const read of ['batch', 'heldOut'] as const) {
      const expected = new Float32Array(40 * 6);
      const out = expected.slice();
      await raw[read](0, expected);
      await source[read](0, out);
      normalize(source.normalization, expected, 6);
      expect(out).toEqual(expected);
    }
    const fitted = await NormalizedSource.wrap(raw, source.normalization);
    expect(fitted.identity).toEqual(source.identity);
    await source.close();
  });

  it.each(['F32', 'BF16'] as const)('reads %s', async (dtype) => {
    const other = temporaryFolder();
    const few = lengths.slice(0, 12);
    harvest(other.path, identity({ dtype }), few);
    const source = await NormalizedSource.wrap(await ShardSource.open(other.path, plain), 'scalar');
    const out = new Float32Array(source.trainRows * 6);
    await source.batch(0, out);
    const { factor } = source.normalization as { factor: number };
    const firsts = Array.from({ length: source.trainRows }, (_, i) => Math.round(out[6 * i] / factor));
    expect(firsts.sort((a, b) => a - b)).toEqual(firsts.map((_, i) => i));
    await source.close();
    other.remove();
  });

  it('the identity changes with everything that changes batches', async () => {
    const hashes = new Set<string>();
    const same = { ...plain, normalization: 'none' as const };
    for (const options of [
      same,
      same,
      { ...same, seed: 2 },
      { ...same, normalization: 'scalar' as const },
      { ...same, heldOut: { fraction: 0.3 } },
    ]) {
      const source = await NormalizedSource.wrap(await ShardSource.open(folder.path, options), options.normalization);
      hashes.add(source.identity.hash);
      await source.close();
    }
    expect(hashes.size).toBe(4);
  });
});

describe('a damaged folder', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let path: string;
  beforeEach(() => {
    ({ path } = folder = temporaryFolder());
    harvest(path, identity(), lengths);
  });
  afterEach(() => folder.remove());

  const shard = (index: number): string => join(path, `acts-0000${index}.safetensors`);
  const change = (edit: (manifest: Manifest) => void): void => {
    const manifest = manifestOf(path);
    edit(manifest);
    writeFileSync(join(path, 'manifest.json'), JSON.stringify(manifest));
  };
  const refused = async (message: RegExp): Promise<InputError> => {
    const error: unknown = await ShardSource.open(path, plain)
      .then((source) => source.batch(0, new Float32Array(total * 6)))
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).message).toMatch(message);
    return error as InputError;
  };
  /** Rewrites shard 1 with other activations and gives the manifest its checksum, as another tool might. */
  const replace = (values: Uint16Array, d = 6): void => {
    const { rows, firstDoc } = manifestOf(path).shards[1];
    const column = { dtype: 'I32' as const, shape: [rows], data: new Int32Array(rows).fill(firstDoc) };
    writeSafetensors(shard(1), {
      odd: { dtype: 'U8', shape: [1], data: Uint8Array.of(1) },
      acts: { dtype: 'F16', shape: [rows, d], data: values },
      tokens: column,
      pos: column,
      doc: column,
    });
    const sha256 = createHash('sha256')
      .update(readFileSync(shard(1)))
      .digest('hex');
    change(({ shards }) => (shards[1].sha256 = sha256));
  };

  it('one flipped bit: names the shard, and verify finds it too', async () => {
    const bytes = readFileSync(shard(1));
    bytes[bytes.length - 7] ^= 1;
    writeFileSync(shard(1), bytes);
    expect((await refused(/wrong checksum/)).where).toBe(shard(1));
    await expect(verify(path)).rejects.toThrow(
      /1 of \d+ shards are damaged:\n.*acts-00001.safetensors: wrong checksum/,
    );
  });

  it('a shard that changes while the source is open is checked again', async () => {
    const source = await ShardSource.open(path, { ...plain, heldOut: { fraction: 0.9 } });
    const out = new Float32Array(source.heldOutRows * 6);
    await source.heldOut(0, out);
    const bytes = readFileSync(shard(3));
    bytes[bytes.length - 7] ^= 1;
    writeFileSync(shard(3), bytes);
    await expect(source.heldOut(0, out)).rejects.toThrow(/wrong checksum/);
    appendFileSync(shard(3), 'x');
    await expect(source.heldOut(0, out)).rejects.toThrow(/changed its size/);
    await source.close();
  });

  it('a failed read does not stick', async () => {
    const good = readFileSync(shard(1));
    const source = await ShardSource.open(path, plain);
    rmSync(shard(1));
    const out = new Float32Array(60);
    await expect(source.batch(0, out)).rejects.toThrow(/cannot open the shard/);
    writeFileSync(shard(1), good);
    await source.batch(0, out);
    await source.close();
  });

  it('NaN and infinities: names shard and row, also where values are not aligned', async () => {
    const { rows } = manifestOf(path).shards[1];
    for (const code of [0x7e00, 0xfc00]) {
      const values = new Uint16Array(rows * 6).fill(0x3c00);
      values[17 * 6 + 5] = code;
      replace(values);
      expect((await refused(/row 17 of the shard/)).where).toBe(shard(1));
    }
    replace(new Uint16Array(rows * 6).fill(0x7bff));
    const source = await ShardSource.open(path, plain);
    const out = new Float32Array(source.trainRows * 6);
    await source.batch(0, out);
    expect(out.filter((x) => x === 65504)).toHaveLength(rows * 6);
    await source.close();
  });

  it('another width, dtype or row count than the manifest says', async () => {
    const { rows } = manifestOf(path).shards[1];
    replace(new Uint16Array(rows * 5), 5);
    await refused(/acts is F16 \[\d+, 5\], the manifest says F16 \[\d+, 6\]/);
    change(({ identity }) => (identity.dtype = 'BF16'));
    await refused(/acts is F16 .* says BF16/);
  });

  it.each<[string, (manifest: Manifest) => void, RegExp]>([
    ['row counts', ({ shards }) => shards[0].rows++, /counts.rows is/],
    ['total rows', ({ counts }) => counts.rows++, /counts.rows is/],
    ['statistics', ({ statistics }) => statistics.mean.pop(), /statistics of 5 elements/],
    ['shard names', ({ shards }) => (shards[1].file = 'acts-00007.safetensors'), /is called acts-00007/],
    ['paths in shard names', ({ shards }) => (shards[1].file = '../acts-00001.safetensors'), /shards.1.file/],
    ['documents', ({ shards }) => (shards[1].firstDoc = 0), /go backwards/],
    ['unknown keys', (manifest) => Object.assign(manifest, { extra: 1 }), /unknown key "extra"/],
    ['version', (manifest) => Object.assign(manifest, { version: 1 }), /manifests of version 2/],
    ['unfinished', (manifest) => (manifest.complete = false), /not finished/],
  ])('the manifest: %s', async (_, edit, message) => {
    change(edit);
    await refused(message);
  });

  it('missing files', async () => {
    rmSync(shard(0));
    expect((await refused(/no such file/)).where).toBe(shard(0));
    await expect(verify(path)).rejects.toThrow(/acts-00000.safetensors: cannot read tensors: no such file/);
    rmSync(join(path, 'manifest.json'));
    await refused(/manifest of an activation folder: no such file/);
  });

  it('a shard without a column', async () => {
    const { rows } = manifestOf(path).shards[1];
    writeSafetensors(shard(1), { acts: { dtype: 'F16', shape: [rows, 6], data: new Uint16Array(rows * 6) } });
    await refused(/no tensor "tokens"/);
  });
});

it('random folders: nothing lost, nothing twice, documents whole', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 150 }),
      fc.double({ min: 0, max: 0.9, noNaN: true }),
      async (rowsOf, rowsPerShard, batchRows, fraction) => {
        const folder = temporaryFolder();
        harvest(folder.path, identity({ rowsPerShard, d: 2 }), rowsOf);
        const source = await ShardSource.open(folder.path, { ...plain, heldOut: { fraction } });
        const starts = new Set<number>([0]);
        rowsOf.reduce((sum, rows) => (starts.add(sum + rows), sum + rows), 0);
        expect(starts.has(source.trainRows)).toBe(true);
        expect(source.trainRows).toBeGreaterThan(0);
        if (rowsOf.length > 1 && fraction > 0) expect(source.heldOutRows).toBeGreaterThan(0);
        const seen: number[] = [];
        const out = new Float32Array(batchRows * 2);
        for (let i = 0; seen.length < source.trainRows; i++) {
          await source.batch(i, out);
          for (let row = 0; row < batchRows; row++) seen.push(out[2 * row]);
        }
        expect(new Set(seen.slice(0, source.trainRows)).size).toBe(source.trainRows);
        expect(Math.max(...seen)).toBe(source.trainRows - 1);
        await source.close();
        folder.remove();
      },
    ),
    { numRuns: 25 },
  );
});

it('memory does not grow with the folder', async () => {
  const d = 256;
  const buffers = async (rows: number): Promise<number> => {
    const folder = temporaryFolder();
    const writer = ShardWriter.open(folder.path, identity({ d, rowsPerShard: 8192 }));
    const ramp = new Int32Array(4096);
    const acts = new Float32Array(4096 * d).fill(1);
    for (let done = 0; done < rows; done += 4096) {
      writer.append({ rows: 4096, acts, tokens: ramp, pos: ramp, doc: ramp.fill(done), sequences: 1 }, null);
    }
    writer.finish();
    const source = await ShardSource.open(folder.path, plain);
    const out = new Float32Array(2048 * d);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 60; i++) await source.batch(i, out);
    const grown = process.memoryUsage().arrayBuffers - before;
    await source.close();
    folder.remove();
    return grown / 2 ** 20;
  };
  const small = await buffers(40_960);
  const large = await buffers(409_600);
  // Two groups of 16 MB as F16, and 4 MB for checksums.
  expect(small).toBeLessThan(40);
  expect(large).toBeLessThan(40);
});
