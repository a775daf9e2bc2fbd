import { expect, it } from 'vitest';
import type { LatentIndex, Codes, Tensor } from '../../../src/engine/device.ts';
import { onEveryDevice, type Bench } from '../devices.ts';
import * as oracle from '../oracle.ts';
import type { Rows } from '../oracle.ts';

function indexOf(bench: Bench, codes: Codes): LatentIndex {
  const { device } = bench;
  const index = {
    latentPtr: device.scratch('u32', codes.width + 1),
    entryOf: device.scratchLike(codes, 'u32'),
    rowOf: device.scratchLike(codes, 'u32'),
  };
  bench.kernels.indexLatents(index, codes);
  return index;
}

const positive = (value: number): number => Math.max(0, value);
const valuesOf = (rows: Rows): number[] => rows.flat().map(({ value }) => value);
const shifted = (row: Rows[number], by: number): Rows[number] =>
  row.map(({ latent, value }) => ({ latent: latent + by, value }));

onEveryDevice((bench) => {
  it('joins codes of fixed and open size, one after the other in each row', () =>
    oracle.forShapes(async ({ rows, width, k, block }, random) => {
      bench.begin();
      const first = oracle.fullRows(random, rows, width, k);
      const [second, third] = [block, block + 1].map((most) => oracle.randomRows(random, rows, most, most));
      const parts = [bench.fixedCodes(first, width), bench.openCodes(second, block)];
      await bench.device.flush();
      parts.push(bench.openCodes(third, block + 1));
      const all = width + 2 * block + 1;
      // Room for latents that are in no part.
      const open = bench.device.scratchCodes(rows, all + 7);
      bench.kernels.joinCodes(open, parts);
      await bench.expectCodes(
        open,
        first.map((row, r) => [...row, ...shifted(second[r], width), ...shifted(third[r], width + block)]),
      );
      const fixed = bench.device.scratchCodes(rows, 2 * width, 2 * k);
      bench.kernels.joinCodes(fixed, [parts[0], parts[0]]);
      await bench.expectCodes(
        fixed,
        first.map((row) => [...row, ...shifted(row, width)]),
      );
    }));

  it('gradients of a base by the codes below and by V, from selected entries above', () =>
    oracle.forShapes(async ({ rows: count, width, d: cols, k }, random) => {
      bench.begin();
      const below = oracle.fullRows(random, count, width, k);
      const above = oracle.randomRows(random, count, cols, Math.min(cols, 9));
      const V = oracle.normalMatrix(random, width, cols);
      const dAbove = oracle.normalVector(random, above.flat().length);
      const [codes, selected] = [bench.fixedCodes(below, width), bench.openCodes(above, cols)];
      await bench.device.flush();
      const gradient = bench.put('f32', dAbove, dAbove.length);
      const [h, g] = [oracle.spread(below, valuesOf(below), width), oracle.spread(above, dAbove, cols)];
      const expectedV = oracle.multiply(oracle.transpose(h), g);
      const dense = oracle.multiply(g, oracle.transpose(V));
      const expectedBelow = oracle.gather(below, dense).map((v, e) => (below.flat()[e].value === 0 ? 0 : v));
      const weights = bench.matrix(V);
      const index = indexOf(bench, codes);
      await bench.device.flush();
      for (const accumulate of [false, true]) {
        const [startV, startBelow] = [oracle.normalMatrix(random, width, cols), oracle.normalVector(random, count * k)];
        const dV: Tensor = bench.matrix(startV);
        const dBelow = bench.vector(startBelow);
        const targets = [
          { tensor: dBelow, accumulate },
          { tensor: dV, accumulate },
        ] as const;
        bench.kernels.baseGradients(...targets, codes, index, weights, selected, gradient);
        await bench.expectClose(dV, (accumulate ? oracle.add(startV, expectedV) : expectedV).flat());
        await bench.expectClose(
          dBelow,
          expectedBelow.map((v, e) => v + (accumulate ? startBelow[e] : 0)),
        );
      }
      const dV = bench.out('f32', width, cols);
      bench.kernels.baseGradients(null, { tensor: dV, accumulate: false }, codes, index, weights, selected, gradient);
      await bench.expectClose(dV, expectedV.flat());
    }));

  it('counts positive entries, and those that owe half of their positive input to the tier below', () =>
    oracle.forShapes(async ({ rows: count, width, k }, random) => {
      bench.begin();
      const rows = oracle.fullRows(random, count, width, k);
      // Quarters: sums are exact, and ties at one half happen.
      for (const entry of rows.flat()) if (entry.value > 0) entry.value = (1 + random.below(8)) / 4;
      const [c, b] = [oracle.exactMatrix(random, count, width), oracle.exactVector(random, width)];
      const out = { composed: bench.out('f64', count), active: bench.out('f64', count) };
      const base = c.map((row) => row.map((value, i) => value + b[i]));
      bench.kernels.composedEntries(out, bench.fixedCodes(rows, width), bench.matrix(base), bench.vector(b));
      const composed = rows.map(
        (row, r) =>
          row.filter(({ latent: i, value }) => {
            const own = c[r][i];
            const all = positive(value - own - b[i]) + positive(own) + positive(b[i]);
            return value > 0 && all > 0 && positive(own) / all >= 0.5;
          }).length,
      );
      expect([...(await bench.read(out.composed, 'f64'))]).toEqual(composed);
      const active = rows.map((row) => row.filter(({ value }) => value > 0).length);
      expect([...(await bench.read(out.active, 'f64'))]).toEqual(active);
    }));
});
