import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextCorpus } from '../../src/lm/corpus.ts';
import {
  countKept,
  cutDocument,
  documentOrder,
  planBatches,
  readWindows,
  type WindowOptions,
} from '../../src/lm/sequences.ts';
import { Tokenizer } from '../../src/lm/tokenizer.ts';
import { modelFolder, temporaryFolder, TOKENIZER } from './folder.ts';

const BOS = 0;
const WORDS = ['the', 'dog', 'cat', 'sees'];

/** 1 + (7 i mod 23) words. */
const document = (i: number): string =>
  Array.from({ length: 1 + ((7 * i) % 23) }, (_, j) => WORDS[(i + j) % 4]).join(' ');

async function openCorpus(documents: number): Promise<TextCorpus> {
  const path = join(temporaryFolder(), 'text.txt');
  writeFileSync(path, Array.from({ length: documents }, (_, i) => document(i)).join('\n<|endoftext|>\n'));
  return TextCorpus.open([path]);
}

function openTokenizer(): Tokenizer {
  return Tokenizer.open(
    modelFolder({
      'tokenizer.json': TOKENIZER,
      'tokenizer_config.json': { add_bos_token: true, bos_token: '<s>' },
    }),
  );
}

const options = (changes: Partial<WindowOptions> = {}): WindowOptions => ({
  context: 8,
  windowTokens: 40,
  dropped: BOS,
  seed: 5,
  rows: Infinity,
  from: { document: 0, sequence: 0 },
  rowsBefore: 0,
  ...changes,
});

describe('windows', () => {
  it('hold every document once, in the seeded order, cut into contexts that begin with BOS', async () => {
    const corpus = await openCorpus(60);
    const tokenizer = openTokenizer();
    const sequences = [...readWindows(corpus, tokenizer, options())].flatMap((window) => window.sequences);
    const order = documentOrder(60, 5);
    for (let doc = 0; doc < 60; doc++) {
      const parts = sequences.filter((sequence) => sequence.doc === doc).map(({ tokens }) => [...tokens]);
      expect(parts.every((tokens) => tokens[0] === BOS && tokens.length >= 2 && tokens.length <= 8)).toBe(true);
      expect(parts.flatMap((tokens) => tokens.slice(1))).toEqual([...tokenizer.encode(corpus.read(order.at(doc)))]);
    }
    expect(sequences.map(({ doc }) => doc)).toEqual(sequences.map(({ doc }) => doc).sort((a, b) => a - b));
    expect(documentOrder(60, 6).at(0)).not.toBe(order.at(0));
  });

  it('are the same wherever the stream is entered', async () => {
    const corpus = await openCorpus(60);
    const tokenizer = openTokenizer();
    const all = [...readWindows(corpus, tokenizer, options({ rows: 400 }))];
    expect(all.some(({ next }) => next.sequence > 0)).toBe(true);
    let rowsBefore = 0;
    for (const [i, { sequences, next }] of all.entries()) {
      rowsBefore += sequences.reduce((sum, { tokens }) => sum + countKept(tokens, BOS), 0);
      const rest = [...readWindows(corpus, tokenizer, options({ rows: 400, from: next, rowsBefore }))];
      expect(rest).toEqual(all.slice(i + 1));
    }
  });

  it('end with the document that reaches the rows asked for', async () => {
    const corpus = await openCorpus(60);
    const tokenizer = openTokenizer();
    const order = documentOrder(60, 5);
    for (const rows of [1, 17, 100, 333]) {
      const sequences = [...readWindows(corpus, tokenizer, options({ rows }))].flatMap((window) => window.sequences);
      const last = sequences.at(-1)!.doc;
      const size = (doc: number): number => tokenizer.encode(corpus.read(order.at(doc))).length;
      const until = (end: number): number =>
        Array.from({ length: end }, (_, doc) => size(doc)).reduce((a, b) => a + b, 0);
      expect(until(last)).toBeLessThan(rows);
      expect(until(last + 1)).toBeGreaterThanOrEqual(rows);
      expect(sequences.reduce((sum, { tokens }) => sum + countKept(tokens, BOS), 0)).toBe(until(last + 1));
    }
  });
});

describe('a document', () => {
  it('is cut into full contexts and a rest', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.integer({ min: 2, max: 9 }), fc.option(fc.nat(9)), (length, context, bos) => {
        const ids = Int32Array.from({ length }, (_, i) => 100 + i);
        const parts = cutDocument(ids, bos ?? undefined, context);
        const skip = bos === null ? 0 : 1;
        expect(parts.flatMap((part) => [...part.subarray(skip)])).toEqual([...ids]);
        expect(parts.slice(0, -1).every((part) => part.length === context)).toBe(true);
        expect(parts.every((part) => part.length > skip && (bos === null || part[0] === bos))).toBe(true);
      }),
    );
  });
});

describe('batches', () => {
  it('hold every sequence once, and no more tokens than allowed unless one sequence does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 60 })), fc.integer({ min: 1, max: 200 }), (lengths, maxTokens) => {
        const sequences = lengths.map((length) => ({ doc: 0, tokens: new Int32Array(length) }));
        const batches = planBatches(sequences, maxTokens);
        expect(batches.flat().sort((a, b) => a - b)).toEqual(lengths.map((_, i) => i));
        for (const batch of batches) {
          const longest = Math.max(...batch.map((i) => lengths[i]));
          expect(batch.length === 1 || batch.length * longest <= maxTokens).toBe(true);
        }
      }),
    );
  });
});
