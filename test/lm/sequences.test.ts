import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSequences, type Cut, type Sequence, type TokenSource } from '../../src/lm/sequences.ts';

const BOS = 0;

/** Documents of the given lengths; the tokens of document i are 100 i + 1, 100 i + 2, … */
const documents = (lengths: readonly number[]): TokenSource => ({
  count: lengths.length,
  tokens: (i) => Int32Array.from({ length: lengths[i] }, (_, j) => 100 * i + 1 + j),
});

const all = (source: TokenSource, cut: Cut): Sequence[] =>
  [...readSequences(source, cut)].map(({ sequence }) => sequence);

const anyText = fc.array(fc.nat(30), { maxLength: 12 });
const anyCut = fc.record({
  context: fc.integer({ min: 2, max: 9 }),
  bos: fc.constantFrom(BOS, undefined),
  pack: fc.boolean(),
});

describe('sequences', () => {
  it('hold every token of every document once, in order, with its document', () => {
    fc.assert(
      fc.property(anyText, anyCut, (lengths, cut) => {
        const source = documents(lengths);
        const sequences = all(source, cut);
        const tokens = sequences.flatMap((sequence) =>
          [...sequence.tokens].map((token, i) => [token, sequence.docs[i]]),
        );
        const expected = lengths.flatMap((_, doc) => [...source.tokens(doc)].map((token) => [token, doc]));
        expect(tokens.filter(([token]) => token !== BOS)).toEqual(expected);
        for (const { tokens, docs } of sequences) {
          expect(tokens.length).toBeLessThanOrEqual(cut.context);
          expect(docs.length).toBe(tokens.length);
          expect(tokens.length).toBeGreaterThan(cut.bos === undefined ? 0 : 1);
          expect(tokens[0] === BOS).toBe(cut.bos !== undefined);
        }
      }),
    );
  });

  it('are the same wherever the stream is entered', () => {
    fc.assert(
      fc.property(anyText, anyCut, (lengths, cut) => {
        const source = documents(lengths);
        const sequences = [...readSequences(source, cut)];
        for (const [i, { next }] of sequences.entries()) {
          expect([...readSequences(source, cut, next)]).toEqual(sequences.slice(i + 1));
        }
      }),
    );
  });

  it('are full contexts and a rest: of every document, or packed of the whole text', () => {
    fc.assert(
      fc.property(anyText, anyCut, (lengths, cut) => {
        const sequences = all(documents(lengths), cut);
        const isRest = ({ docs }: Sequence, i: number): boolean =>
          i + 1 === sequences.length || (!cut.pack && sequences[i + 1].docs[0] !== docs[0]);
        for (const [i, sequence] of sequences.entries()) {
          if (!isRest(sequence, i)) expect(sequence.tokens.length).toBe(cut.context);
          if (!cut.pack) expect(new Set(sequence.docs).size).toBe(1);
        }
      }),
    );
  });

  it('packed, begin every document and every context with BOS', () => {
    const sequences = all(documents([3, 1, 0, 6]), { context: 5, bos: BOS, pack: true });
    expect(sequences.map(({ tokens }) => [...tokens])).toEqual([
      [0, 1, 2, 3, 0],
      [0, 101, 0, 301, 302],
      [0, 303, 304, 305, 306],
    ]);
    expect(sequences.map(({ docs }) => [...docs])).toEqual([
      [0, 0, 0, 0, 1],
      [1, 1, 3, 3, 3],
      [3, 3, 3, 3, 3],
    ]);
  });
});
