import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextCorpus } from '../../src/lm/corpus.ts';
import { documentOrder, tokenSource, type Documents } from '../../src/lm/documents.ts';
import { countKept } from '../../src/lm/rows.ts';
import { START, type TokenSource } from '../../src/lm/sequences.ts';
import { Tokenizer } from '../../src/lm/tokenizer.ts';
import { planBatches, readWindows, type WindowOptions } from '../../src/lm/windows.ts';
import { modelFolder, temporaryFolder, TOKENIZER } from './folder.ts';

const BOS = 0;
const VOCAB = 6;
const WORDS = ['the', 'dog', 'cat', 'sees'];

/** 1 + (7 i mod 23) words. */
const document = (i: number): string =>
  Array.from({ length: 1 + ((7 * i) % 23) }, (_, j) => WORDS[(i + j) % 4]).join(' ');

function openTokenizer(): Tokenizer {
  const files = { 'tokenizer.json': TOKENIZER, 'tokenizer_config.json': { add_bos_token: true, bos_token: '<s>' } };
  return Tokenizer.open(modelFolder(files));
}

async function openText(count: number, seed = 5): Promise<TokenSource> {
  const path = join(temporaryFolder(), 'text.txt');
  writeFileSync(path, Array.from({ length: count }, (_, i) => document(i)).join('\n<|endoftext|>\n'));
  return tokenSource(await TextCorpus.open([path]), documentOrder(count, seed), openTokenizer(), VOCAB);
}

const options = (changes: Partial<WindowOptions> = {}): WindowOptions => ({
  context: 8,
  bos: BOS,
  pack: false,
  windowTokens: 40,
  dropped: BOS,
  rows: Infinity,
  from: START,
  rowsBefore: 0,
  ...changes,
});

const kept = (sequences: readonly { tokens: Int32Array }[]): number =>
  sequences.reduce((sum, { tokens }) => sum + countKept(tokens, BOS), 0);

const order = (seed: number): number[] => Array.from({ length: 60 }, (_, i) => documentOrder(60, seed).at(i));

describe('the order of documents', () => {
  it('is a permutation that the seed decides', () => {
    expect(order(5).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect(order(6)).not.toEqual(order(5));
  });

  it('is the natural one for generated text, which a harvest reads until it has enough', () => {
    const world: Documents = {
      count: Infinity,
      identity: { kind: 'generated', name: 'world', split: 'train', seed: 0, hash: 'x' },
      read: document,
    };
    const source = tokenSource(world, documentOrder(Infinity, 5), openTokenizer(), VOCAB);
    for (const pack of [false, true]) {
      const sequences = [...readWindows(source, options({ rows: 1000, pack }))].flatMap((window) => window.sequences);
      expect(kept(sequences)).toBeGreaterThanOrEqual(1000);
      const ids = sequences.flatMap(({ tokens }) => [...tokens].filter((token) => token !== BOS));
      const expected = Array.from({ length: 200 }, (_, i) => [...source.tokens(i)]).flat();
      expect(ids).toEqual(expected.slice(0, ids.length));
    }
  });

  it('does not hide tokens that the model does not know', async () => {
    const path = join(temporaryFolder(), 'text.txt');
    writeFileSync(path, 'the dog sees');
    const source = tokenSource(await TextCorpus.open([path]), documentOrder(1, 0), openTokenizer(), 5);
    expect(() => source.tokens(0)).toThrow('document 0 holds token 5 (sees), but the model knows 5 tokens');
  });
});

describe('windows', () => {
  it.each([false, true])('are the same wherever the stream is entered (packed: %s)', async (pack) => {
    const source = await openText(60);
    const all = [...readWindows(source, options({ rows: 400, pack }))];
    expect(all.some(({ next }) => next.offset > 0)).toBe(true);
    let rowsBefore = 0;
    for (const [i, { sequences, next }] of all.entries()) {
      rowsBefore += kept(sequences);
      const rest = [...readWindows(source, options({ rows: 400, pack, from: next, rowsBefore }))];
      expect(rest).toEqual(all.slice(i + 1));
    }
  });

  it('end with the sequence that fills them', async () => {
    const windows = [...readWindows(await openText(60), options())];
    for (const { sequences } of windows.slice(0, -1)) {
      const sizes = sequences.map(({ tokens }) => tokens.length);
      const size = sizes.reduce((a, b) => a + b, 0);
      expect(size).toBeGreaterThanOrEqual(40);
      expect(size - sizes.at(-1)!).toBeLessThan(40);
    }
  });

  it('end with the document that reaches the rows asked for', async () => {
    const source = await openText(60);
    for (const rows of [1, 17, 100, 333]) {
      const sequences = [...readWindows(source, options({ rows }))].flatMap((window) => window.sequences);
      const last = sequences.at(-1)!.docs[0];
      const until = (end: number): number =>
        Array.from({ length: end }, (_, doc) => source.tokens(doc).length).reduce((a, b) => a + b, 0);
      expect(until(last)).toBeLessThan(rows);
      expect(until(last + 1)).toBeGreaterThanOrEqual(rows);
      expect(kept(sequences)).toBe(until(last + 1));
    }
  });

  it('packed, end with the context that reaches them', async () => {
    const source = await openText(60);
    for (const rows of [1, 17, 100, 333]) {
      const sequences = [...readWindows(source, options({ rows, pack: true }))].flatMap((window) => window.sequences);
      expect(sequences.every(({ tokens }) => tokens.length === 8)).toBe(true);
      expect(kept(sequences)).toBeGreaterThanOrEqual(rows);
      expect(kept(sequences.slice(0, -1))).toBeLessThan(rows);
    }
  });
});

describe('batches', () => {
  it('hold every sequence once, and no more tokens than allowed unless one sequence does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 })), fc.integer({ min: 1, max: 200 }), (lengths, maxTokens) => {
        const batches = planBatches(
          lengths.map((length) => ({ tokens: new Int32Array(length) })),
          maxTokens,
        );
        expect(batches.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
        for (const batch of batches) {
          const longest = Math.max(...batch.map((i) => lengths[i]));
          expect(batch.length === 1 || batch.length * longest <= maxTokens).toBe(true);
        }
      }),
    );
  });
});
