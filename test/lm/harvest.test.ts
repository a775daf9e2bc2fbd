import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readManifest } from '../../src/activations/manifest.ts';
import { verify } from '../../src/activations/verify.ts';
import { InputError, InterruptedError, SaeforestError } from '../../src/core/errors.ts';
import { encodeFloats } from '../../src/core/floats.ts';
import { LOCK_FILE } from '../../src/core/lock.ts';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';
import { TextCorpus } from '../../src/lm/corpus.ts';
import { ForwardPool, shareThreads } from '../../src/lm/forward-pool.ts';
import { harvest, type HarvestOptions } from '../../src/lm/harvest.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import { documentOrder, tokenSource } from '../../src/lm/documents.ts';
import { readSequences } from '../../src/lm/sequences.ts';
import type { Site } from '../../src/lm/site.ts';
import { packTokens } from '../../src/lm/tokens.ts';
import { describeWithShared, sharedPath } from '../support/shared.ts';
import { temporaryFolder } from './folder.ts';
import { BOS_FILES, overflowingModel, wordFile, wordModel } from './words.ts';

const post = (layer: number): Site => ({ layer, hook: 'resid_post' });
const tiny = (changes: Partial<HarvestOptions> = {}): HarvestOptions => ({
  model: wordModel(),
  text: [wordFile(50)],
  sites: [post(1)],
  tokens: 300,
  out: join(temporaryFolder(), 'acts'),
  dtype: 'F32',
  context: 16,
  separator: '---',
  threads: 1,
  ...changes,
});

interface Rows {
  acts: Float32Array;
  tokens: Int32Array;
  pos: Int32Array;
  doc: Int32Array;
}

function readShard(folder: string, shard = 0): Rows {
  const file = SafetensorsFile.open(join(folder, readManifest(folder).shards[shard].file));
  try {
    return {
      acts: file.readFloat32('acts'),
      tokens: file.readInt32('tokens'),
      pos: file.readInt32('pos'),
      doc: file.readInt32('doc'),
    };
  } finally {
    file.close();
  }
}

/** What one sequence after the other gives. */
async function expectedRows(options: HarvestOptions, dropBos: boolean, site = options.sites[0]): Promise<Rows> {
  const model = await LanguageModel.open(options.model);
  const { tokenizer } = model;
  const prefix = await model.prefix([site], { threads: 1 });
  const corpus = await TextCorpus.open(options.text, { separator: options.separator! });
  const source = tokenSource(corpus, documentOrder(corpus.count, options.seed ?? 0), tokenizer, model.info.vocab);
  const cut = { context: options.context!, bos: tokenizer.bosId, pack: options.pack ?? false };
  const rows = { acts: [] as number[], tokens: [] as number[], pos: [] as number[], doc: [] as number[] };
  for (const { sequence, next } of readSequences(source, cut)) {
    const { tokens, docs } = sequence;
    const [acts] = await prefix.run(packTokens([tokens], 0));
    for (const [pos, token] of tokens.entries()) {
      if (dropBos && token === tokenizer.bosId) continue;
      rows.acts.push(...acts.subarray(pos * prefix.d, (pos + 1) * prefix.d));
      rows.tokens.push(token);
      rows.pos.push(pos);
      rows.doc.push(docs[pos]);
    }
    if (rows.tokens.length >= options.tokens && (cut.pack || next.offset === 0)) break;
  }
  return {
    acts: Float32Array.from(rows.acts),
    tokens: Int32Array.from(rows.tokens),
    pos: Int32Array.from(rows.pos),
    doc: Int32Array.from(rows.doc),
  };
}

function expectSameRows(actual: Rows, expected: Rows): void {
  for (const column of ['tokens', 'pos', 'doc'] as const) expect(actual[column]).toEqual(expected[column]);
  const worst = actual.acts.reduce((most, x, i) => Math.max(most, Math.abs(x - expected.acts[i])), 0);
  expect(actual.acts.length).toBe(expected.acts.length);
  expect(worst).toBeLessThan(1e-5);
}

/** Every file of a folder. */
const bytes = (folder: string): Record<string, string> =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'base64')]));

async function failure(work: Promise<unknown>): Promise<SaeforestError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof SaeforestError)) throw error ?? new Error('nothing was thrown');
  return error;
}

/** A harvest that is interrupted after its first shard. */
async function interrupted(options: HarvestOptions): Promise<SaeforestError> {
  const controller = new AbortController();
  const onProgress = ({ rows }: { rows: number }): void => void (rows > 70_000 && controller.abort());
  const error = await failure(harvest(options, { signal: controller.signal, onProgress }));
  expect(error).toBeInstanceOf(InterruptedError);
  return error;
}

describe('a harvest', () => {
  it('stores what the model gives for one sequence after the other, without BOS', async () => {
    const options = tiny();
    const { sites, isExhausted } = await harvest(options);
    const [{ manifest }] = sites;
    expectSameRows(readShard(options.out), await expectedRows(options, true));
    expect(isExhausted).toBe(false);
    expect(manifest.identity).toMatchObject({ specials: { dropped: [0], bos: 0 }, context: 16, rowsWanted: 300 });
    await expect(verify(options.out)).resolves.toMatchObject({ complete: true });
  });

  it('stores BOS if asked to, and prepends nothing to a model without BOS', async () => {
    for (const changes of [{ keepBos: true }, { model: wordModel({}) }]) {
      const options = tiny(changes);
      const [{ manifest }] = (await harvest(options)).sites;
      expectSameRows(readShard(options.out), await expectedRows(options, false));
      expect(manifest.identity.specials.dropped).toEqual([]);
    }
  });

  it('packs documents into full contexts', async () => {
    for (const changes of [{}, { keepBos: true }, { model: wordModel({}) }]) {
      const options = tiny({ ...changes, pack: true });
      const { sites, padding } = await harvest(options);
      const hasBos = !('model' in changes);
      const rows = readShard(options.out);
      expectSameRows(rows, await expectedRows(options, hasBos && !('keepBos' in changes)));
      expect(padding).toBe(0);
      const sequences = rows.pos.filter((pos, row) => row === 0 || pos <= rows.pos[row - 1]).length;
      expect(sites[0].manifest).toMatchObject({ identity: { packed: true }, counts: { sequences } });
    }
  });

  it('says when the texts are used up', async () => {
    const { sites, isExhausted } = await harvest(tiny({ tokens: 10_000 }));
    const [{ manifest }] = sites;
    expect(isExhausted).toBe(true);
    expect(manifest).toMatchObject({ complete: true, counts: { documents: 50 } });
  });

  it('drops a BOS that stands in the text as well', async () => {
    const path = join(temporaryFolder(), 'text.txt');
    writeFileSync(path, 'the dog <s> cat sees');
    const options = tiny({ text: [path] });
    await harvest(options);
    const { tokens, pos } = readShard(options.out);
    expect([...tokens]).toEqual([2, 3, 4, 5]);
    expect([...pos]).toEqual([1, 2, 4, 5]);
  });

  it('leaves nothing behind when it fails or is interrupted before the first shard', async () => {
    const outside = temporaryFolder();
    const out = join(outside, 'acts');
    expect((await failure(harvest(tiny({ model: overflowingModel(1e6), out, dtype: 'F16' })))).render()).toMatch(
      /does not fit into F16: row \d+ \(document \d+, position \d+, token 4\)[^]*bf16/,
    );
    expect((await failure(harvest(tiny({ model: overflowingModel(NaN), out })))).render()).toMatch(
      /the model gave NaN at row \d+/,
    );
    const controller = new AbortController();
    controller.abort();
    const interrupted = await failure(harvest(tiny({ out }), { signal: controller.signal }));
    expect(interrupted).toBeInstanceOf(InterruptedError);
    expect(interrupted.message).toBe('interrupted: nothing was stored yet');
    expect(existsSync(out)).toBe(false);
    mkdirSync(out);
    await failure(harvest(tiny({ model: overflowingModel(NaN), out })));
    expect(readdirSync(out)).toEqual([]);
  });

  it('needs a context that the model has', async () => {
    expect((await failure(harvest({ ...tiny(), context: 1 }))).message).toContain('too short');
    const { context: _, ...unstated } = tiny();
    // config.json says nothing, but the model has a table of 32 positions.
    const ofTable = await harvest({ ...unstated, out: `${unstated.out}-table` });
    expect(ofTable.sites[0].manifest.identity.context).toBe(32);
    const config = {
      architectures: ['T'],
      num_hidden_layers: 2,
      hidden_size: 8,
      vocab_size: 11,
      max_position_embeddings: 12,
    };
    const bounded = wordModel({ ...BOS_FILES, 'config.json': config });
    expect((await failure(harvest(tiny({ model: bounded })))).message).toContain("longer than the model's 12");
    const [{ manifest }] = (await harvest({ ...unstated, model: bounded })).sites;
    expect(manifest.identity.context).toBe(12);
  });

  it('needs sites that the model has, each once', async () => {
    const missing = await failure(harvest(tiny({ sites: [post(0), post(2)] })));
    expect(missing.message).toContain('there is no layer 2: the model has layers 0 to 1');
    const twice = await failure(harvest(tiny({ sites: [post(0), post(1), post(0)] })));
    expect(twice.message).toBe('resid_post 0 is asked for twice');
  });

  it('refuses tokens that the model does not know, before anything is written', async () => {
    const config = { architectures: ['T'], num_hidden_layers: 2, hidden_size: 8, vocab_size: 5 };
    const options = tiny({ model: wordModel({ ...BOS_FILES, 'config.json': config }) });
    expect((await failure(harvest(options))).message).toMatch(/holds token 5 \(sees\), but the model knows 5 tokens/);
    expect(existsSync(options.out)).toBe(false);
  });

  it('refuses a text whose only tokens are dropped', async () => {
    const path = join(temporaryFolder(), 'text.txt');
    writeFileSync(path, '<s>');
    expect((await failure(harvest(tiny({ text: [path] })))).message).toContain('no tokens to harvest');
  });
});

const SITES: Site[] = [post(1), { layer: 0, hook: 'mlp_out' }, { layer: 1, hook: 'resid_pre' }];
const folders = (out: string): string[] => ['resid_post-1', 'mlp_out-0', 'resid_pre-1'].map((name) => join(out, name));

describe('a harvest of several sites', () => {
  it('stores for each what a harvest of it alone stores', async () => {
    const options = tiny({ sites: SITES });
    const { sites } = await harvest(options);
    expect(sites.map(({ folder }) => folder)).toEqual(folders(options.out));
    expect(readdirSync(options.out).sort()).toEqual(['mlp_out-0', 'resid_post-1', 'resid_pre-1']);
    for (const [i, site] of SITES.entries()) {
      const alone = { ...options, sites: [site], out: join(temporaryFolder(), 'acts') };
      const [{ manifest }] = (await harvest(alone)).sites;
      expectSameRows(readShard(folders(options.out)[i]), readShard(alone.out));
      expect(sites[i].manifest.identity).toEqual(manifest.identity);
      expect(sites[i].manifest.identity).toMatchObject(site);
      expectSameRows(readShard(alone.out), await expectedRows(alone, true, site));
      await expect(verify(folders(options.out)[i])).resolves.toMatchObject({ complete: true });
    }
  });

  it('goes on with those that are not complete, and knows when all are', async () => {
    const options = tiny({ sites: SITES });
    await harvest({ ...options, sites: SITES.slice(0, 2) });
    const [first] = folders(options.out);
    const before = bytes(first);
    // As a process leaves it that was killed after its last byte.
    const lock = { pid: 2 ** 22 + 1, host: hostname(), started: '2026-01-01', processStart: null, token: 'x' };
    writeFileSync(join(first, LOCK_FILE), JSON.stringify(lock));
    const { sites } = await harvest(options);
    expect(sites.map(({ manifest }) => manifest.complete)).toEqual([true, true, true]);
    expect(bytes(first)).toEqual(before);
    expect(existsSync(join(first, LOCK_FILE))).toBe(false);
    expect((await failure(harvest(options))).message).toMatch(/already complete: \d+ rows at each of 3 sites/);
    const error = await failure(harvest({ ...options, sites: [...SITES, post(0)], seed: 3 }));
    expect(error.message).toContain('seed: 0 in the folder, 3 asked for');
    expect(readdirSync(options.out)).toHaveLength(3);
  });

  it('does not share a folder with anything else', async () => {
    const single = tiny();
    await harvest(single);
    const mixed = await failure(harvest({ ...single, sites: SITES }));
    expect(mixed.message).toContain('the folder holds the activations of a single site');
    const options = tiny({ sites: SITES });
    mkdirSync(options.out);
    writeFileSync(join(options.out, 'thesis.txt'), '');
    expect((await failure(harvest(options))).message).toContain('the folder holds other files (thesis.txt)');
    const several = tiny({ sites: SITES });
    await harvest(several);
    const inside = await failure(harvest({ ...several, sites: [post(0)] }));
    expect(inside.message).toMatch(/the folder holds other files .* and no manifest/);
  });

  it('leaves nothing behind when it fails', async () => {
    const outside = temporaryFolder();
    const out = join(outside, 'acts');
    await failure(harvest(tiny({ sites: SITES, model: overflowingModel(NaN), out })));
    expect(readdirSync(outside)).toEqual([]);
  });
});

describe('the threads of a harvest', () => {
  it('are workers of one thread each, as long as the weights may be held so often', () => {
    expect(shareThreads(2, 3_000_000, 768)).toEqual({ workers: 2, threads: 1, depth: 16 });
    expect(shareThreads(64, 3_000_000, 768)).toEqual({ workers: 64, threads: 1, depth: 3 });
    expect(shareThreads(64, 124_000_000, 3072)).toEqual({ workers: 2, threads: 32, depth: 14 });
    expect(shareThreads(16, 7_000_000_000, 3 * 16_384)).toEqual({ workers: 1, threads: 16, depth: 3 });
  });

  it('give binary16 that is nearest to the float32', async () => {
    const texts = [Int32Array.of(2, 3, 4, 5, 4), Int32Array.of(4, 2)];
    // Subnormal, ordinary and infinite values.
    for (const value of [1e-7, 1, 1e6]) {
      const model = overflowingModel(value);
      const share = { workers: 1, threads: 1, depth: 3 };
      const [floats, halves] = [
        await ForwardPool.start(model, SITES, share),
        await ForwardPool.startHalf(model, SITES, share),
      ];
      const exact = await floats.run(packTokens(texts, 0));
      const rounded = await halves.run(packTokens(texts, 0));
      for (const [i, values] of exact.entries()) {
        expect(new Uint8Array(rounded[i].buffer)).toEqual(encodeFloats('F16', values));
      }
      await floats.close();
      await halves.close();
    }
  });

  it('report a failure of the runtime to every batch that waits', async () => {
    const pool = await ForwardPool.start(wordModel(), [post(1)], { workers: 1, threads: 1, depth: 3 });
    const runs = [[2, 3], [99], [2], [4], [5], [2]].map((ids) => pool.run(packTokens([Int32Array.from(ids)], 0)));
    const results = await Promise.allSettled(runs);
    expect(results[0].status).toBe('fulfilled');
    for (const result of results.slice(1)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { name: 'InputError' } });
    }
    await expect(pool.run(packTokens([Int32Array.of(2)], 0))).rejects.toBeInstanceOf(InputError);
    await pool.close();
  });
});

describeWithShared('lm/stories260k', 'a harvest of a real model', (model) => {
  const real = (changes: Partial<HarvestOptions> = {}): HarvestOptions => ({
    model,
    text: [sharedPath('data/tinystories-sample.txt')],
    sites: [post(0)],
    tokens: 90_000,
    out: join(temporaryFolder(), 'acts'),
    ...changes,
  });

  it('has the same bytes with any number of threads, and after interruptions', async () => {
    const whole = real({ threads: 2 });
    const { sites, padding } = await harvest(whole);
    expect(sites[0].manifest.shards.length).toBeGreaterThan(1);
    expect(padding).toBeLessThan(0.1);
    const stopped = real({ threads: 1 });
    const error = await interrupted(stopped);
    const { rows } = readManifest(stopped.out).counts;
    expect(error.message).toBe(`interrupted: ${rows} rows are stored`);
    const { resumedRows } = await harvest(stopped);
    expect(resumedRows).toBe(rows);
    // The path of the model and all else is equal, so the manifest must be too.
    expect(bytes(stopped.out)).toEqual(bytes(whole.out));
  });

  it('has the same bytes when several sites go on from different places', async () => {
    const sites: Site[] = [post(0), { layer: 0, hook: 'mlp_out' }, { layer: 0, hook: 'attn_out' }];
    const [whole, stopped] = [real({ sites, pack: true }), real({ sites, pack: true })];
    await harvest(whole);
    await interrupted(stopped);
    const [ahead, behind, complete] = ['resid_post-0', 'mlp_out-0', 'attn_out-0'];
    // As after a kill between two folders: the second has not even begun, the third was finished.
    rmSync(join(stopped.out, behind), { recursive: true });
    cpSync(join(whole.out, complete), join(stopped.out, complete), { recursive: true });
    expect(readManifest(join(stopped.out, ahead)).counts.rows).toBeGreaterThan(0);
    const { resumedRows } = await harvest(stopped);
    expect(resumedRows).toBe(0);
    for (const name of [ahead, behind, complete]) {
      expect(bytes(join(stopped.out, name))).toEqual(bytes(join(whole.out, name)));
    }
  });
});
