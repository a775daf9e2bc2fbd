import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { PairCounts } from '../../src/forest/pair-counts.ts';

const id = fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: 2 ** 31 }));

it('counts pairs as a map does, and forgets those it is told to', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(id, id), { maxLength: 300 }), (pairs) => {
      const counts = new PairCounts();
      const expected = new Map<string, number>();
      for (const [a, b] of pairs) {
        counts.add(a, b);
        expected.set(`${a} ${b}`, (expected.get(`${a} ${b}`) ?? 0) + 1);
      }
      const listed = (): Map<string, number> => {
        const found = new Map<string, number>();
        counts.forEach((a, b, count) => void found.set(`${a} ${b}`, count));
        return new Map([...found].sort());
      };
      expect(listed()).toEqual(new Map([...expected].sort()));
      expect(counts.size).toBe(expected.size);
      for (const [a, b] of pairs) expect(counts.get(a, b)).toBe(expected.get(`${a} ${b}`));
      expect(counts.get(7, 2 ** 30)).toBe(expected.get(`7 ${2 ** 30}`) ?? 0);
      counts.keep((a, _b, count) => a < 4 && count > 1);
      const kept = [...expected].filter(([key, count]) => Number.parseInt(key, 10) < 4 && count > 1);
      expect(listed()).toEqual(new Map(kept.sort()));
      expect(counts.size).toBe(kept.length);
    }),
  );
});

it('grows', () => {
  const counts = new PairCounts();
  for (let round = 0; round < 2; round++) for (let i = 0; i < 100_000; i++) counts.add(i % 317, i);
  expect(counts.size).toBe(100_000);
  let total = 0;
  counts.forEach((a, b, count) => {
    expect(a).toBe(b % 317);
    total += count;
  });
  expect(total).toBe(200_000);
});
