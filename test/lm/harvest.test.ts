import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readManifest } from '../../src/activations/manifest.ts';
import { verify } from '../../src/activations/verify.ts';
import { InputError, InterruptedError, SaeforestError } from '../../src/core/errors.ts';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';
import { TextCorpus } from '../../src/lm/corpus.ts';
import { ForwardPool, shareThreads } from '../../src/lm/forward-pool.ts';
import { harvest, type HarvestOptions } from '../../src/lm/harvest.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import { cutDocument, documentOrder } from '../../src/lm/sequences.ts';
import { packTokens } from '../../src/lm/tokens.ts';
import { describeWithShared, sharedPath } from '../support/shared.ts';
import { completeFolder, temporaryFolder } from './folder.ts';
import { tinyTransformer } from './tiny.ts';

const WORDS = ['the', 'dog', 'cat', 'sees'];
const BOS = { 'tokenizer_config.json': { add_bos_token: true, bos_token: '<s>' } };

function tinyModel(files: Record<string, object> = BOS): string {
  return completeFolder(tinyTransformer({ layers: 2, wiring: 'sequential' }).model, files);
}

/** A model whose embedding of "cat" has `value` in one element. */
const overflowing = (value: number): string => {
  const { model } = tinyTransformer({ layers: 2, wiring: 'sequential' });
  const { rawData } = model.graph!.initializer[0];
  new DataView(rawData.buffer, rawData.byteOffset).setFloat32(4 * 4 * 8, value, true);
  return completeFolder(model, BOS);
};

/** 1 … 40 words. */
const document = (i: number): string =>
  Array.from({ length: 1 + ((17 * i) % 40) }, (_, j) => WORDS[(i * j) % 4]).join(' ');

function tinyText(documents = 50): string {
  const path = join(temporaryFolder(), 'text.txt');
  writeFileSync(path, Array.from({ length: documents }, (_, i) => document(i)).join('\n---\n'));
  return path;
}

const tiny = (changes: Partial<HarvestOptions> = {}): HarvestOptions => ({
  model: tinyModel(),
  text: [tinyText()],
  layer: 1,
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
async function expectedRows(options: HarvestOptions, dropBos: boolean): Promise<Rows> {
  const model = await LanguageModel.open(options.model);
  const { tokenizer } = model;
  const prefix = await model.prefix(options.layer, { threads: 1 });
  const corpus = await TextCorpus.open(options.text, { separator: options.separator! });
  const order = documentOrder(corpus.count, options.seed ?? 0);
  const rows = { acts: [] as number[], tokens: [] as number[], pos: [] as number[], doc: [] as number[] };
  for (let doc = 0; doc < corpus.count && rows.tokens.length < options.tokens; doc++) {
    for (const tokens of cutDocument(tokenizer.encode(corpus.read(order.at(doc))), tokenizer.bosId, options.context!)) {
      const acts = await prefix.run(packTokens([tokens], 0));
      for (const [pos, token] of tokens.entries()) {
        if (dropBos && token === tokenizer.bosId) continue;
        rows.acts.push(...acts.subarray(pos * prefix.d, (pos + 1) * prefix.d));
        rows.tokens.push(token);
        rows.pos.push(pos);
        rows.doc.push(doc);
      }
    }
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

describe('a harvest', () => {
  it('stores what the model gives for one sequence after the other, without BOS', async () => {
    const options = tiny();
    const { manifest, isExhausted } = await harvest(options);
    expectSameRows(readShard(options.out), await expectedRows(options, true));
    expect(isExhausted).toBe(false);
    expect(manifest.identity).toMatchObject({ specials: { dropped: [0], bos: 0 }, context: 16, rowsWanted: 300 });
    await expect(verify(options.out)).resolves.toMatchObject({ complete: true });
  });

  it('stores BOS if asked to, and prepends nothing to a model without BOS', async () => {
    for (const changes of [{ keepBos: true }, { model: tinyModel({}) }]) {
      const options = tiny(changes);
      const { manifest } = await harvest(options);
      expectSameRows(readShard(options.out), await expectedRows(options, false));
      expect(manifest.identity.specials.dropped).toEqual([]);
    }
  });

  it('says when the texts are used up', async () => {
    const { manifest, isExhausted } = await harvest(tiny({ tokens: 10_000 }));
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
    expect((await failure(harvest(tiny({ model: overflowing(1e6), out, dtype: 'F16' })))).render()).toMatch(
      /does not fit into F16: row \d+ \(document \d+, position \d+, token 4\)[^]*bf16/,
    );
    expect((await failure(harvest(tiny({ model: overflowing(NaN), out })))).render()).toMatch(
      /the model gave NaN at row \d+/,
    );
    const controller = new AbortController();
    controller.abort();
    const interrupted = await failure(harvest(tiny({ out }), { signal: controller.signal }));
    expect(interrupted).toBeInstanceOf(InterruptedError);
    expect(interrupted.message).toBe('interrupted: nothing was stored yet');
    expect(existsSync(out)).toBe(false);
    mkdirSync(out);
    await failure(harvest(tiny({ model: overflowing(NaN), out })));
    expect(readdirSync(out)).toEqual([]);
  });

  it('needs a context that the model has', async () => {
    expect((await failure(harvest({ ...tiny(), context: 1 }))).message).toContain('too short');
    const { context: _, ...unstated } = tiny();
    expect((await failure(harvest(unstated))).render()).toContain('--context 512');
    const config = {
      architectures: ['T'],
      num_hidden_layers: 2,
      hidden_size: 8,
      vocab_size: 11,
      max_position_embeddings: 12,
    };
    const bounded = tinyModel({ ...BOS, 'config.json': config });
    expect((await failure(harvest(tiny({ model: bounded })))).message).toContain("longer than the model's 12");
    const { manifest } = await harvest({ ...unstated, model: bounded });
    expect(manifest.identity.context).toBe(12);
  });

  it('refuses a text whose only tokens are dropped', async () => {
    const path = join(temporaryFolder(), 'text.txt');
    writeFileSync(path, '<s>');
    expect((await failure(harvest(tiny({ text: [path] })))).message).toContain('no tokens to harvest');
  });
});

describe('the threads of a harvest', () => {
  it('are workers of one thread each, as long as the weights may be held so often', () => {
    expect(shareThreads(2, 3_000_000)).toEqual({ workers: 2, threads: 1 });
    expect(shareThreads(64, 3_000_000)).toEqual({ workers: 64, threads: 1 });
    expect(shareThreads(64, 124_000_000)).toEqual({ workers: 2, threads: 32 });
    expect(shareThreads(16, 7_000_000_000)).toEqual({ workers: 1, threads: 16 });
  });

  it('report a failure of the runtime to every batch that waits', async () => {
    const pool = await ForwardPool.start(tinyModel(), 1, { workers: 1, threads: 1 });
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
    layer: 0,
    tokens: 100_000,
    out: join(temporaryFolder(), 'acts'),
    ...changes,
  });

  it('has the same bytes with any number of threads, and after interruptions', async () => {
    const whole = real({ threads: 2 });
    const { manifest, padding } = await harvest(whole);
    expect(manifest.shards.length).toBeGreaterThan(1);
    expect(padding).toBeLessThan(0.1);
    const stopped = real({ threads: 1 });
    const controller = new AbortController();
    const error = await failure(
      harvest(stopped, {
        signal: controller.signal,
        onProgress: ({ rows }) => void (rows > 70_000 && controller.abort()),
      }),
    );
    expect(error).toBeInstanceOf(InterruptedError);
    const { rows } = readManifest(stopped.out).counts;
    expect(error.message).toBe(`interrupted: ${rows} rows are stored`);
    const { resumedRows } = await harvest(stopped);
    expect(resumedRows).toBe(rows);
    // The path of the model and all else is equal, so the manifest must be too.
    expect(bytes(stopped.out)).toEqual(bytes(whole.out));
  });
});
