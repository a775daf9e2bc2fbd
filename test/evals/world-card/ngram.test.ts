import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NGrams, ORDERS, type Order } from '../../../src/evals/world-card/ngram.ts';

const BOS = 0;
const VOCAB = 5;
const orders = Object.keys(ORDERS) as Order[];
const document = fc
  .array(fc.integer({ min: 1, max: VOCAB - 1 }), { maxLength: 12 })
  .map((words) => Int32Array.of(BOS, ...words));
const corpus = fc.array(document, { minLength: 1, maxLength: 8 });

describe('NGrams', () => {
  it('gives every history a distribution over all words', () => {
    fc.assert(
      fc.property(corpus, fc.nat(VOCAB - 1), fc.nat(VOCAB - 1), (documents, first, second) => {
        const ngrams = new NGrams(documents, VOCAB, BOS);
        for (const order of orders) {
          const all = Array.from({ length: VOCAB }, (_, word) => ngrams.probability(order, first, second, word));
          expect(all.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 9);
          for (const p of all) expect(p).toBeGreaterThan(0);
        }
      }),
    );
  });

  // Text: <s> a b a b a c <s>. Worked out by hand.
  const [a, b, c] = [1, 2, 3];
  const text = Int32Array.of(BOS, a, b, a, b, a, c);
  const ngrams = new NGrams([text], VOCAB, BOS);

  it('discounts counts and gives the rest to the shorter history', () => {
    // Counts of words: a 3, b 2, c 1, <s> 1; n₁ = 2, n₂ = 1, D = 1/2; the rest goes to the uniform distribution.
    const rest = (0.5 * 4) / 7 / VOCAB;
    expect(ngrams.probability('unigram', BOS, BOS, a)).toBeCloseTo(2.5 / 7 + rest, 12);
    expect(ngrams.probability('unigram', BOS, BOS, 4)).toBeCloseTo(rest, 12);
    // Pairs: <s>a 1, ab 2, ba 2, ac 1, c<s> 1: D = 3/7. Words by contexts: a 2, b 1, c 1, <s> 1: D = 3/5, of 5.
    const lower = (word: number): number =>
      (word === a ? 1.4 : [b, c, BOS].includes(word) ? 0.4 : 0) / 5 + ((3 / 5) * 4) / 5 / VOCAB;
    const D = 3 / 7;
    expect(ngrams.probability('bigram', BOS, a, b)).toBeCloseTo((2 - D) / 3 + ((D * 2) / 3) * lower(b), 12);
    expect(ngrams.probability('bigram', BOS, a, a)).toBeCloseTo(((D * 2) / 3) * lower(a), 12);
  });

  it('falls back where a history was never seen', () => {
    expect(ngrams.probability('trigram', c, 4, a)).toBeCloseTo(ngrams.probability('bigram', BOS, 4, a), 12);
  });

  it('sees the end of a document, and only what was before', () => {
    const losses = ngrams.losses('trigram', text, BOS);
    expect(losses.length).toBe(text.length);
    expect(losses[0]).toBeCloseTo(-Math.log(ngrams.probability('trigram', BOS, BOS, a)), 12);
    expect(losses[3]).toBeCloseTo(-Math.log(ngrams.probability('trigram', b, a, b)), 12);
    expect(losses[6]).toBeCloseTo(-Math.log(ngrams.probability('trigram', a, c, BOS)), 12);
    expect(ngrams.tokens).toBe(7);
  });

  it('longer histories predict text with longer dependencies better', () => {
    const cycle = Int32Array.from({ length: 401 }, (_, i) => (i === 0 ? BOS : [1, 1, 2, 1, 3][i % 5]));
    const trained = new NGrams([cycle], VOCAB, BOS);
    const [one, two, three] = orders.map((order) => trained.losses(order, cycle, BOS).reduce((x, y) => x + y, 0));
    expect(one).toBeGreaterThan(two * 1.2);
    expect(two).toBeGreaterThan(three * 1.2);
  });
});
