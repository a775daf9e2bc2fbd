import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codesFromDense, sliceRows, type Codes } from '../../src/core/codes.ts';
import { Random } from '../../src/core/random.ts';
import type { RowOrigins } from '../../src/activations/source.ts';
import { firingTokens, markedText, tokenTexts } from '../../src/evals/context-text.ts';
import { ContextCollector, FiringBlocks, Largest, WINDOW, type LatentContexts } from '../../src/evals/contexts.ts';

const COUNTS = { top: 3, importance: 4, uniform: 5, random: 6 };
const WIDTH = 4;

/** Documents of the given lengths; latent i fires in a share of the rows, with random strength and sign. */
function sample(lengths: readonly number[], seed: number): { codes: Codes; origins: RowOrigins } {
  const random = new Random(seed);
  const rows = lengths.reduce((sum, length) => sum + length, 0);
  const dense = Float32Array.from({ length: rows * WIDTH }, (_, e) =>
    random.uniform() < 0.05 * (1 + (e % WIDTH)) ? random.normal() : 0,
  );
  const of = (value: (doc: number, pos: number) => number): Int32Array =>
    Int32Array.from(lengths.flatMap((length, doc) => Array.from({ length }, (_, pos) => value(doc, pos))));
  const origins = { tokens: of((doc, pos) => doc * 1000 + pos), pos: of((_, pos) => pos), doc: of((doc) => doc) };
  return { codes: codesFromDense(dense, rows, WIDTH), origins };
}

function collect({ codes, origins }: ReturnType<typeof sample>, batch = codes.rows, counts = COUNTS): LatentContexts[] {
  const collector = new ContextCollector([0, 1, 2, 3], origins, counts, 7);
  for (let start = 0; start < codes.rows; start += batch) {
    collector.add(start, sliceRows(codes, start, Math.min(codes.rows, start + batch)));
  }
  return collector.finish();
}

const lengthsOf = fc.array(fc.integer({ min: 1, max: 120 }), { minLength: 1, maxLength: 8 });

describe('contexts', () => {
  it('do not depend on the size of the batches', () => {
    fc.assert(
      fc.property(lengthsOf, fc.integer({ min: 1, max: 70 }), (lengths, batch) => {
        const data = sample(lengths, 1);
        expect(collect(data, batch)).toEqual(collect(data));
      }),
      { numRuns: 30 },
    );
  });

  it('are pieces of one document with the activations of its tokens', () => {
    fc.assert(
      fc.property(lengthsOf, fc.integer(), (lengths, seed) => {
        const data = sample(lengths, seed);
        for (const { latent, top, importance, uniform, silent } of collect(data)) {
          for (const { start, tokens, strength } of [...top, ...importance, ...uniform, ...silent]) {
            const { doc } = data.origins;
            const length = lengths[doc[start]];
            expect(tokens).toEqual(data.origins.tokens.slice(start, start + tokens.length));
            expect(new Set(doc.slice(start, start + tokens.length)).size).toBe(1);
            expect(tokens.length).toBe(Math.min(WINDOW, length));
            expect([...strength]).toEqual(
              Array.from(tokens, (_, i) => Math.abs(valueAt(data.codes, start + i, latent))),
            );
          }
          for (const { strength } of [...top, ...importance, ...uniform])
            expect(Math.max(...strength)).toBeGreaterThan(0);
          for (const { strength } of silent) expect(Math.max(...strength)).toBe(0);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('at the top hold the strongest activations, one per block, and no more are kept than asked for', () => {
    const data = sample(
      Array.from({ length: 40 }, (_, i) => 20 + i),
      3,
    );
    for (const { latent, top, importance, uniform, silent, fired } of collect(data)) {
      const peaks = blockPeaks(data, latent).sort((a, b) => b - a);
      expect(top.map(({ strength }) => Math.max(...strength))[0]).toBe(peaks[0]);
      expect(top).toHaveLength(COUNTS.top);
      expect(importance).toHaveLength(COUNTS.importance);
      expect(uniform).toHaveLength(COUNTS.uniform);
      expect(silent.length).toBeLessThanOrEqual(COUNTS.random);
      expect(fired).toBe(rowsOf(data.codes, latent).length);
    }
  });

  it('sampled by importance prefer strong activations, those sampled uniformly do not', () => {
    // One document per block; in one of ten the latent is a hundred times as strong.
    const rows = 400 * WINDOW;
    const dense = new Float32Array(rows);
    for (let block = 0; block < 400; block++) dense[block * WINDOW + 5] = block % 10 === 0 ? 100 : 1;
    const of = (value: (row: number) => number): Int32Array =>
      Int32Array.from({ length: rows }, (_, row) => value(row));
    const origins = {
      tokens: of((row) => row),
      pos: of((row) => row % WINDOW),
      doc: of((row) => Math.floor(row / WINDOW)),
    };
    const collector = new ContextCollector([0], origins, { top: 1, importance: 30, uniform: 30, random: 1 }, 1);
    collector.add(0, codesFromDense(dense, rows, 1));
    const [{ importance, uniform }] = collector.finish();
    const strong = (contexts: typeof uniform): number =>
      contexts.filter(({ strength }) => Math.max(...strength) > 1).length;
    // Expected: 0.92 · 30 and 0.1 · 30.
    expect(strong(importance)).toBeGreaterThan(20);
    expect(strong(uniform)).toBeLessThan(10);
  });

  it('begin anew where a position is missing: tokens on both sides were not neighbours', () => {
    const data = sample([64], 1);
    data.origins.pos.set(
      data.origins.pos.slice(40).map((pos) => pos + 1),
      40,
    );
    for (const { top, silent } of collect(data)) {
      for (const { start, tokens } of [...top, ...silent])
        expect(start >= 40 || start + tokens.length <= 40).toBe(true);
    }
  });

  it('counts the tokens and blocks in which latents fire', () => {
    fc.assert(
      fc.property(lengthsOf, fc.integer({ min: 1, max: 70 }), (lengths, batch) => {
        const data = sample(lengths, 2);
        const firing = new FiringBlocks(WIDTH, data.origins);
        for (let start = 0; start < data.codes.rows; start += batch) {
          firing.add(start, sliceRows(data.codes, start, Math.min(data.codes.rows, start + batch)));
        }
        for (let latent = 0; latent < WIDTH; latent++) {
          expect(firing.fired[latent]).toBe(rowsOf(data.codes, latent).length);
          expect(firing.blocks[latent]).toBe(blockPeaks(data, latent).length);
        }
      }),
      { numRuns: 20 },
    );
  });
});

const valueAt = (codes: Codes, row: number, latent: number): number => {
  for (let e = codes.rowPtr[row]; e < codes.rowPtr[row + 1]; e++) if (codes.index[e] === latent) return codes.value[e];
  return 0;
};
const rowsOf = (codes: Codes, latent: number): number[] =>
  Array.from({ length: codes.rows }, (_, row) => row).filter((row) => valueAt(codes, row, latent) !== 0);

/** Largest activation in every block in which the latent fires. */
function blockPeaks({ codes, origins: { doc, pos } }: ReturnType<typeof sample>, latent: number): number[] {
  const peaks = new Map<string, number>();
  for (const row of rowsOf(codes, latent)) {
    const block = `${doc[row]} ${Math.floor(pos[row] / WINDOW)}`;
    peaks.set(block, Math.max(peaks.get(block) ?? 0, Math.abs(valueAt(codes, row, latent))));
  }
  return [...peaks.values()];
}

describe('the largest', () => {
  it('are kept in order, of equal keys the first', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5 })), fc.integer({ min: 0, max: 4 }), (keys, capacity) => {
        const largest = new Largest<number>(capacity);
        keys.forEach((key, i) => largest.offer(key, () => i));
        const expected = keys.map((key, i) => [key, i]).sort(([a, i], [b, j]) => b - a || i - j);
        expect(largest.items).toEqual(expected.slice(0, capacity).map(([, i]) => i));
      }),
    );
  });
});

describe('text of contexts', () => {
  const strings = ['The', ' cat', ' sat', '\n', 'é'];
  const tokenizer = { decode: (ids: Int32Array) => Array.from(ids, (id) => strings[id]).join('') };

  it('gives every token what it adds', () => {
    expect(tokenTexts(tokenizer, Int32Array.of(0, 1, 2, 3, 4))).toEqual(strings);
  });

  it('gives a letter of several tokens to the last of them', () => {
    const bytes = [Buffer.from('a'), Buffer.from('é').subarray(0, 1), Buffer.from('é').subarray(1)];
    const decoder = { decode: (ids: Int32Array) => Buffer.concat(Array.from(ids, (id) => bytes[id])).toString() };
    expect(tokenTexts(decoder, Int32Array.of(0, 1, 2, 0))).toEqual(['a', '', 'é', 'a']);
  });

  it('marks runs, keeps white space outside, and counts line breaks as text', () => {
    expect(markedText(strings, [false, true, true, false, false])).toBe('The <<cat sat>>⏎é');
    expect(markedText(strings, [true, false, false, true, true])).toBe('<<The>> cat sat<<⏎é>>');
    expect(markedText(['a << b'])).toBe('a < < b');
    expect(markedText(strings)).toBe('The cat sat⏎é');
  });

  it('lets tokens below a hundredth of the strongest go unmarked', () => {
    const context = { start: 0, tokens: Int32Array.of(0, 1, 2), strength: Float32Array.of(1, 0.009, 0) };
    expect(firingTokens(context, 1)).toEqual([true, false, false]);
  });
});
