import * as fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { codesFromDense, sliceRows } from '../../src/core/codes.ts';
import { Random } from '../../src/core/random.ts';
import { candidateParents, MEASURES, type Candidates, type Measure } from '../../src/forest/candidates.ts';
import { Firings } from '../../src/forest/firings.ts';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';

function firingsOf(dense: ArrayLike<number>, width: number): Firings {
  const firings = new Firings(width);
  firings.add(codesFromDense(dense, dense.length / width, width));
  return firings;
}

/** Sparse activations in which latent i tends to fire with ⌊i / 2⌋; some are negative. */
function randomDense(seed: number, rows: number, width: number): Float32Array {
  const random = new Random(seed, 'candidates');
  const dense = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < width; i++) {
      if (random.uniform() > 0.25) continue;
      dense[r * width + i] = random.normal();
      if (random.uniform() < 0.9) dense[r * width + (i >> 1)] = Math.abs(random.normal()) + 0.1;
    }
  }
  return dense;
}

const edgesOf = ({ ptr, parent, score }: Candidates): [string, number][] =>
  [...parent].map((p, e) => [`${p} → ${ptr.findLastIndex((from) => from <= e)}`, score[e]]);

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);

/** M(c, p) of methods 7.9, by the letter. */
function byDefinition(dense: Float32Array, width: number, measure: Measure, c: number, p: number): number {
  const rows = Array.from({ length: dense.length / width }, (_, r) => r);
  const a = (r: number, i: number): number => Math.abs(dense[r * width + i]);
  const withChild = rows.filter((r) => a(r, c) > 0);
  if (measure === 'coverage') return withChild.filter((r) => a(r, p) > 0).length / withChild.length;
  if (measure === 'weighted-coverage') {
    return sum(withChild.map((r) => (a(r, p) > 0 ? a(r, c) : 0))) / sum(withChild.map((r) => a(r, c)));
  }
  const squares = sum(withChild.map((r) => a(r, c) ** 2)) * sum(withChild.map((r) => a(r, p) ** 2));
  return sum(withChild.map((r) => a(r, c) * a(r, p))) / Math.sqrt(squares);
}

describe.each(MEASURES)('%s', (measure) => {
  it('is what its definition says, for every pair', () => {
    fc.assert(
      fc.property(fc.nat(), fc.double({ min: 0.2, max: 0.95, noNaN: true }), (seed, threshold) => {
        const width = 9;
        const dense = randomDense(seed, 60, width);
        const firings = firingsOf(dense, width);
        const expected: [string, number][] = [];
        for (let c = 0; c < width; c++) {
          for (let p = 0; p < width; p++) {
            if (p === c || firings.countOf(c) < 5 || firings.countOf(p) < 5) continue;
            const M = byDefinition(dense, width, measure, c, p);
            if (M > threshold && byDefinition(dense, width, measure, p, c) < threshold)
              expected.push([`${p} → ${c}`, M]);
          }
        }
        const found = edgesOf(candidateParents(firings, firings, { measure, threshold, minFirings: 5 }));
        expect(found.map(([edge]) => edge)).toEqual(expected.map(([edge]) => edge));
        found.forEach(([, M], i) => expect(M).toBeCloseTo(expected[i][1], 12));
      }),
      { numRuns: 40 },
    );
  });

  it('reproduces the golden pairs', () => {
    const folder = join(import.meta.dirname, '../fixtures/metrics/hierarchy-pairs/a');
    const file = SafetensorsFile.open(join(folder, 'inputs.safetensors'));
    const code = file.readFloat32('code');
    file.close();
    const { latents, pairs } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as {
      latents: number;
      pairs: ({ parent: number; child: number } & Record<string, number | null>)[];
    };
    const key = { coverage: 's_cov', 'weighted-coverage': 'weighted_p_parent_given_child', 'masked-cosine': 'mcs' }[
      measure
    ];
    const firings = firingsOf(code, latents);
    let compared = 0;
    for (const { parent, child, [key]: expected } of pairs) {
      if (expected === null) continue;
      const threshold = expected - 1e-6;
      const found = new Map(edgesOf(candidateParents(firings, firings, { measure, threshold, minFirings: 1 })));
      // Where the child covers the parent as well, the pair is no edge at this threshold.
      const M = found.get(`${parent} → ${child}`);
      if (M === undefined) continue;
      expect(Math.abs(M - expected)).toBeLessThan(1e-6);
      compared++;
    }
    expect(compared).toBeGreaterThan(pairs.length / 2);
  });

  it('finds the same pairs between an SAE and itself as within it', () => {
    const [child, parent] = [firingsOf(randomDense(3, 80, 8), 8), firingsOf(randomDense(3, 80, 8), 8)];
    const rule = { measure, threshold: 0.5, minFirings: 3 };
    const between = edgesOf(candidateParents(child, parent, rule));
    // A latent and its double cover each other.
    expect(between).toEqual(edgesOf(candidateParents(child, child, rule)));
    expect(between.length).toBeGreaterThan(3);
  });
});

const score = (p: number, c: number): number => (p % 2 === 0 ? 10 * p + c : -Infinity);

describe('candidates', () => {
  it('can be scored anew, or refused', () => {
    const firings = firingsOf(randomDense(1, 100, 8), 8);
    const rule = { measure: 'coverage', threshold: 0.6, minFirings: 3 } as const;
    const all = edgesOf(candidateParents(firings, firings, rule));
    const even = all.filter(([edge]) => Number.parseInt(edge, 10) % 2 === 0).map(([edge]) => edge);
    const scored = edgesOf(candidateParents(firings, firings, { ...rule, score }));
    expect(scored.map(([edge]) => edge)).toEqual(even);
    for (const [edge, value] of scored)
      expect(value).toBe(score(...(edge.split(' → ').map(Number) as [number, number])));
    expect(even.length).toBeGreaterThan(0);
    expect(even.length).toBeLessThan(all.length);
  });

  it('want codes of the same rows', () => {
    const rule = { measure: 'coverage', threshold: 0.5, minFirings: 1 } as const;
    expect(() => candidateParents(firingsOf([1, 0], 1), firingsOf([1], 1), rule)).toThrow('2 and 1 rows');
  });
});

describe('firings', () => {
  it('are the same in whatever batches they come', () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 5 }), (seed, cuts) => {
        const codes = codesFromDense(randomDense(seed, 60, 7), 60, 7);
        const [whole, parts] = [new Firings(7), new Firings(7)];
        whole.add(codes);
        const ends = [0, ...cuts.toSorted((a, b) => a - b), 60];
        for (let i = 1; i < ends.length; i++) parts.add(sliceRows(codes, ends[i - 1], ends[i]));
        expect([parts.rows, parts.rowPtr, parts.latent, parts.strength]).toEqual([
          whole.rows,
          whole.rowPtr,
          whole.latent,
          whole.strength,
        ]);
        expect(parts.byLatent).toEqual(whole.byLatent);
      }),
    );
  });

  it('leave stored zeros out, take negative codes for what they add, and refuse another width', () => {
    const firings = new Firings(3);
    const rowPtr = Int32Array.of(0, 3);
    firings.add({ rows: 1, width: 3, rowPtr, index: Int32Array.of(2, 0, 1), value: Float32Array.of(-2, 0, 1) });
    expect([...firings.latent]).toEqual([2, 1]);
    expect([...firings.strength]).toEqual([2, 1]);
    expect([firings.countOf(0), firings.countOf(2)]).toEqual([0, 1]);
    expect(() => new Firings(4).add(codesFromDense([1, 0, 0], 1, 3))).toThrow('codes of width 3, expected 4');
  });

  it('grow past their first arrays', () => {
    const firings = new Firings(40);
    const codes = codesFromDense(new Uint8Array(40 * 1000).fill(1), 1000, 40);
    for (let i = 0; i < 3; i++) firings.add(codes);
    expect([firings.rows, firings.count, firings.countOf(39)]).toEqual([3000, 120_000, 3000]);
    expect(firings.strength.every((strength) => strength === 1)).toBe(true);
  });

  it('refuse a sample that is too large, and say how many rows fit', () => {
    const firings = new Firings(4, 10);
    const codes = codesFromDense(new Uint8Array(12).fill(1), 3, 4);
    expect(() => firings.add(codes)).toThrow(
      expect.objectContaining({ message: 'more than 10 firings in the first 3 rows', exitCode: 2 }),
    );
  });
});
