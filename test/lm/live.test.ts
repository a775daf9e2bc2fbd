import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { InputError } from '../../src/core/errors.ts';
import { TextCorpus } from '../../src/lm/corpus.ts';
import { documentOrder, tokenSource } from '../../src/lm/documents.ts';
import { liveSchema, type LiveConfig } from '../../src/lm/live/config.ts';
import { HeldOutTexts, type HeldOutGroup } from '../../src/lm/live/held-out-texts.ts';
import type { LiveOptions } from '../../src/lm/live/pass.ts';
import { LiveSource } from '../../src/lm/live/source.ts';
import { splitDocuments } from '../../src/lm/live/split.ts';
import { TrainingStream, type NumberedSequence } from '../../src/lm/live/training-stream.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import { readSequences, type Cut, type Sequence, type TokenSource } from '../../src/lm/sequences.ts';
import type { Site } from '../../src/lm/site.ts';
import { packTokens } from '../../src/lm/tokens.ts';
import { temporaryFolder } from './folder.ts';
import { overflowingModel, wordFile, wordModel } from './words.ts';

const D = 8;
const BOS = 0;
const WINDOW = 64;
const SITE: Site = { layer: 1, hook: 'resid_post' };

/** Documents of the given lengths; the tokens of document i are 1000 i + 1, 1000 i + 2, … */
const documents = (lengths: readonly number[]): TokenSource => ({
  count: lengths.length,
  tokens: (i) => Int32Array.from({ length: lengths[i] }, (_, j) => 1000 * i + 1 + j),
});

const equalDocuments = (count: number, length: number): TokenSource =>
  documents(Array.from({ length: count }, () => length));

const options = (heldOut: number) => ({ heldOut, dropped: BOS, seed: 0 });

const never = (): boolean => false;
const nothing = (): void => undefined;

/** Sequences up to a row; undefined if the text has no row at all. */
function numbered(source: TokenSource, cut: Cut, end: number): NumberedSequence[] | undefined {
  const all: NumberedSequence[] = [];
  let firstRow = 0;
  try {
    for (const { sequence } of readSequences(source, cut)) {
      const rows = sequence.tokens.filter((token) => token !== BOS).length;
      if (rows > 0) all.push({ ...sequence, firstRow, rows });
      firstRow += rows;
      if (firstRow > end) return all;
    }
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
  }
  return undefined;
}

/** Activations that tell the row. */
const run =
  (ran: HeldOutGroup[], d: number) =>
  (group: HeldOutGroup): Promise<Float32Array[]> => {
    ran.push(group);
    return Promise.resolve([
      Float32Array.from({ length: group.rows * d }, (_, i) => group.firstRow + Math.floor(i / d)),
    ]);
  };

const config = (changes: Partial<LiveConfig> = {}): LiveConfig => ({
  ...liveSchema.parse({ model: wordModel(), text: [wordFile(60)], layer: 1, context: 16, separator: '---' }),
  window: WINDOW,
  ...changes,
});

async function open(of: LiveConfig, sites: Site[] = [SITE], options: Partial<LiveOptions> = {}) {
  const sources = await LiveSource.openAll(of, sites, { seed: 5, heldOut: 0.1, threads: 1, ...options });
  onTestFinished(() => sources[0].close());
  return sources;
}

async function batches(source: LiveSource, indices: readonly number[], rows = 40): Promise<Float32Array[]> {
  const result: Float32Array[] = [];
  for (const index of indices) {
    const out = new Float32Array(rows * D);
    await source.batch(index, out);
    result.push(out);
  }
  return result;
}

/** Rows of a sequence by itself, without BOS. */
async function rowsOf(of: LiveConfig, sequences: Iterable<Sequence>, site = SITE): Promise<number[][]> {
  const prefix = await (await LanguageModel.open(of.model)).prefix([site], { threads: 1 });
  const rows: number[][] = [];
  for (const { tokens } of sequences) {
    const [acts] = await prefix.run(packTokens([tokens], 0));
    for (const [pos, token] of tokens.entries()) {
      if (token !== BOS) rows.push([...acts.subarray(pos * D, (pos + 1) * D)]);
    }
  }
  return rows;
}

async function textOf(of: LiveConfig, heldOut: number): Promise<ReturnType<typeof splitDocuments>> {
  const { tokenizer, info } = await LanguageModel.open(of.model);
  const corpus = await TextCorpus.open(of.text, { separator: of.separator });
  return splitDocuments(tokenSource(corpus, documentOrder(corpus.count, 5), tokenizer, info.vocab), {
    heldOut,
    dropped: BOS,
    seed: 5,
  });
}

const split = (rows: Float32Array): number[][] =>
  Array.from({ length: rows.length / D }, (_, i) => [...rows.subarray(i * D, (i + 1) * D)]);

/** Equal as sets, up to rounding. */
function expectSameRows(actual: number[][], expected: number[][]): void {
  const [a, b] = [actual, expected].map((rows) => rows.toSorted((x, y) => x[0] - y[0]));
  expect(a.length).toBe(b.length);
  a.forEach((row, i) => row.forEach((value, j) => expect(value).toBeCloseTo(b[i][j], 4)));
}

describe('the documents of a live training', () => {
  it('are all visited once per epoch, in a new order every time, and those held out never', () => {
    const source = documents(Array.from({ length: 40 }, () => 1));
    const { training, heldOutFrom } = splitDocuments(source, { heldOut: 0.1, dropped: BOS, seed: 7 });
    expect(heldOutFrom).toEqual({ document: 36, offset: 0 });
    const epoch = (e: number): number[] =>
      Array.from({ length: 36 }, (_, i) => Math.floor(training.tokens(36 * e + i)[0] / 1000));
    const all = Array.from({ length: 36 }, (_, i) => i);
    expect(epoch(0)).toEqual(all);
    const [first, second] = [epoch(1), epoch(2)];
    for (const order of [first, second]) expect(order.toSorted((a, b) => a - b)).toEqual(all);
    expect(first).not.toEqual(all);
    expect(second).not.toEqual(first);
    expect(epoch(1)).toEqual(first);
  });

  it('keep one for training where there are few, and one for validation where there are two', () => {
    for (const [count, held] of [
      [1, 0],
      [2, 1],
      [10, 1],
      [100, 5],
    ]) {
      const { heldOutFrom } = splitDocuments(equalDocuments(count, 1), options(0.05));
      expect(count - heldOutFrom.document).toBe(held);
    }
  });

  it('come as they are where they have no end, and are held out far away', () => {
    const endless: TokenSource = { count: Infinity, tokens: (i) => Int32Array.of(i + 1) };
    const { training, heldOut, heldOutFrom } = splitDocuments(endless, options(0.05));
    expect([0, 1, 2].map((i) => training.tokens(i)[0])).toEqual([1, 2, 3]);
    expect(heldOutFrom.document).toBeGreaterThan(1e9);
    expect(heldOut.tokens(heldOutFrom.document)[0]).toBe(heldOutFrom.document + 1);
  });

  it('must hold something', () => {
    const { training } = splitDocuments(documents([0, 0, 0, 5]), options(0.25));
    expect(() => [...new TrainingStream(training, { context: 4, bos: BOS, pack: false }, BOS).until(1)]).toThrow(
      'the texts hold no tokens to train on',
    );
  });
});

describe('the training stream', () => {
  it('finds the sequences of any rows, wherever it stands', async () => {
    const anyCut = fc.record({
      context: fc.integer({ min: 2, max: 9 }),
      bos: fc.constantFrom(BOS, undefined),
      pack: fc.boolean(),
    });
    const anyRange = fc.tuple(fc.nat(300), fc.integer({ min: 1, max: 60 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 8 }).filter((all) => all.some(Boolean)),
        anyCut,
        fc.array(anyRange, { minLength: 1, maxLength: 4 }),
        async (lengths, cut, ranges) => {
          const { training } = splitDocuments(documents(lengths), options(0.0001));
          const expected = numbered(training, cut, 400);
          if (expected === undefined) return;
          const stream = new TrainingStream(training, cut, BOS);
          for (const [first, length] of ranges) {
            const end = first + length;
            await stream.seek(first, nothing, never);
            const found = [...stream.until(end)];
            const holds = ({ firstRow, rows }: NumberedSequence): boolean => firstRow + rows > first && firstRow < end;
            expect(found.filter(({ rows }) => rows > 0)).toEqual(expected.filter(holds));
          }
        },
      ),
    );
  });
});

describe('held-out texts', () => {
  it('are computed once as far as they fit into memory, and again where they do not', async () => {
    const split = splitDocuments(equalDocuments(40, 1000), options(0.5));
    // Of three groups of some 8000 rows, 32 MiB hold one.
    const d = 512;
    const ran: HeldOutGroup[] = [];
    const texts = new HeldOutTexts(split, { context: 500, bos: undefined, pack: false }, undefined, d, run(ran, d));
    expect(texts.rows).toBe(20_000);
    const out = new Float32Array(2000 * d);
    const origins = { tokens: new Int32Array(2000), pos: new Int32Array(2000), doc: new Int32Array(2000) };
    for (const start of [0, 7500, 15_000, 19_000, 0, 15_000]) {
      const count = await texts.read(0, start, out, d, origins);
      expect(count).toBe(Math.min(2000, 20_000 - start));
      for (let row = 0; row < count; row++) {
        const number = start + row;
        const doc = 20 + Math.floor(number / 1000);
        expect(out[row * d]).toBe(number);
        expect([origins.doc[row], origins.pos[row]]).toEqual([doc, number % 500]);
        expect(origins.tokens[row]).toBe(1000 * doc + 1 + (number % 1000));
      }
    }
    expect(await texts.read(0, 20_000, out, d)).toBe(0);
    const firsts = ran.map(({ firstRow }) => firstRow);
    expect(firsts.filter((first) => first === 0)).toHaveLength(1);
    expect(firsts.filter((first) => first > 0).length).toBeGreaterThan(2);
  });

  it('are 100 000 rows at most', () => {
    const split = splitDocuments(equalDocuments(1000, 300), options(0.5));
    const texts = new HeldOutTexts(split, { context: 100, bos: BOS, pack: true }, BOS, D, run([], D));
    expect(texts.rows).toBeGreaterThanOrEqual(100_000);
    expect(texts.rows).toBeLessThan(100_100);
  });
});

describe('live activations', () => {
  it.each([false, true])('are those of the model, shuffled in windows (packed: %s)', async (pack) => {
    const live = config({ pack });
    const [source] = await open(live);
    const { training } = await textOf(live, 0.1);
    const windows = 20;
    const [rows] = await batches(source, [0], windows * WINDOW);
    const cut = { context: 16, bos: BOS, pack };
    const sequences = [...new TrainingStream(training, cut, BOS).until(windows * WINDOW)];
    const expected = await rowsOf(live, sequences);
    for (let w = 0; w < windows; w++) {
      const range = [w * WINDOW, (w + 1) * WINDOW] as const;
      const [drawn, inOrder] = [split(rows).slice(...range), expected.slice(...range)];
      expectSameRows(drawn, inOrder);
      expect(drawn.filter((row, i) => Math.abs(row[0] - inOrder[i][0]) < 1e-4).length).toBeLessThan(WINDOW / 2);
    }
  });

  it('depend on the seed and the number of a batch only', async () => {
    const live = config();
    const indices = [0, 1, 2, 7, 30, 31];
    const [source] = await open(live);
    const inOrder = await batches(source, indices);
    const [other] = await open(live, [SITE], { threads: 2 });
    const backwards = await batches(other, indices.toReversed());
    expect(backwards.toReversed()).toEqual(inOrder);
    expect(other.identity.hash).toBe(source.identity.hash);
    const [reseeded] = await open(live, [SITE], { seed: 6 });
    expect(await batches(reseeded, [0])).not.toEqual(inOrder.slice(0, 1));
    expect(reseeded.identity.hash).not.toBe(source.identity.hash);
  });

  it('of several sites come from one pass, each as if it were alone', async () => {
    const live = config();
    const sites: Site[] = [SITE, { layer: 0, hook: 'mlp_out' }, { layer: 1, hook: 'resid_pre' }];
    const together = await open(live, sites);
    for (const [i, site] of sites.entries()) {
      const [alone] = await open(live, [site]);
      expect(await batches(together[i], [0, 1, 5])).toEqual(await batches(alone, [0, 1, 5]));
      expect(together[i].identity).toEqual(alone.identity);
      expect(together[i].identity.description).toMatchObject(site);
      const [a, b] = [new Float32Array(20 * D), new Float32Array(20 * D)];
      expect(await together[i].heldOut(3, a)).toBe(await alone.heldOut(3, b));
      expect(a).toEqual(b);
    }
  });

  it.each([false, true])('hold whole documents out (packed: %s)', async (pack) => {
    const live = config({ pack });
    const [source] = await open(live);
    const { heldOut, heldOutFrom } = await textOf(live, 0.1);
    expect(heldOutFrom.document).toBe(54);
    const sequences = [...readSequences(heldOut, { context: 16, bos: BOS, pack }, heldOutFrom)];
    const expected = await rowsOf(
      live,
      sequences.map(({ sequence }) => sequence),
    );
    const rows = source.heldOutRows;
    const out = new Float32Array((rows + 7) * D);
    const origins = {
      tokens: new Int32Array(rows + 7),
      pos: new Int32Array(rows + 7),
      doc: new Int32Array(rows + 7),
    };
    expect(await source.heldOut(0, out, origins)).toBe(rows);
    split(out.subarray(0, rows * D)).forEach((row, i) =>
      row.forEach((value, j) => expect(value).toBeCloseTo(expected[i][j], 4)),
    );
    const stored = sequences.flatMap(({ sequence: { tokens, docs } }) =>
      [...tokens].map((token, pos) => [token, pos, docs[pos]]).filter(([token]) => token !== BOS),
    );
    expect(stored.map((_, i) => [origins.tokens[i], origins.pos[i], origins.doc[i]])).toEqual(stored);
  });

  it('report a model that overflows, a text without tokens, and what the model does not have', async () => {
    const [broken] = await open(config({ model: overflowingModel(NaN) }));
    await expect(broken.batch(0, new Float32Array(40 * D))).rejects.toThrow(/not finite in document \d+, at position/);
    await expect(broken.batch(0, new Float32Array(40 * D))).rejects.toThrow(InputError);
    await expect(open(config(), [{ layer: 7, hook: 'resid_post' }])).rejects.toThrow('there is no layer 7');
    await expect(open(config({ context: 1 }))).rejects.toThrow('too short');
    const path = join(temporaryFolder(), 'text.txt');
    writeFileSync(path, '<s>\n---\n<s>');
    const [empty] = await open(config({ text: [path] }));
    await expect(empty.batch(0, new Float32Array(40 * D))).rejects.toThrow('no tokens to train on');
  });

  it.each([0, 1, 20])('end while the model is at work, after %d ms', async (after) => {
    const [source] = await open(config({ window: 500_000 }));
    const reading = source.batch(0, new Float32Array(40 * D));
    reading.catch(() => undefined);
    if (after > 0) await new Promise((resolve) => setTimeout(resolve, after));
    await source.close();
    await expect(reading).rejects.toThrow();
    await source.close();
  });

  it('give no rows that the model did not compute', async () => {
    const [source] = await open(config({ window: 500_000 }));
    await source.close();
    await expect(source.batch(0, new Float32Array(40 * D))).rejects.toThrow();
  });

  it('come without end from generated text', async () => {
    const live = config({ text: ['world'] });
    const [source] = await open(live);
    const [first, later] = await batches(source, [0, 50]);
    expect(first).not.toEqual(later);
    expect(source.heldOutRows).toBeGreaterThanOrEqual(100_000);
    expect(source.identity.description).toMatchObject({ text: { kind: 'generated', name: 'world', split: 'train' } });
  });

  it('need no BOS', async () => {
    const live = config({ model: wordModel({}) });
    const [source] = await open(live);
    const [rows] = await batches(source, [0], WINDOW);
    expect(rows.every(Number.isFinite)).toBe(true);
    expect(source.identity.description).toMatchObject({ bos: null, dropped: [] });
  });
});
