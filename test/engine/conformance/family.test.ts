import { expect, it } from 'vitest';
import type { Random } from '../../../src/core/random.ts';
import { onEveryDevice } from '../devices.ts';
import * as oracle from '../oracle.ts';

const NONE = 2 ** 32 - 1;

interface Links {
  from: number;
  split: number;
  to: number;
  parents: number[];
}

/** Two levels somewhere among the latents; some children have no parent, some parents no child. */
function drawLinks(random: Random, width: number): Links {
  const [from, split, to] = [0, 1, 2].map(() => random.below(width + 1)).toSorted((a, b) => a - b);
  const parents = Array.from({ length: width }, (_, i) =>
    i < split || i >= to || split === from || random.below(4) === 0 ? NONE : from + random.below(split - from),
  );
  return { from, split, to, parents };
}

onEveryDevice((bench) => {
  it('residuals of families, their gradients by values and by rows of W', () =>
    oracle.forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const { parents, ...levels } = drawLinks(random, width);
      const { from, split, to } = levels;
      const hasChildren = parents.map((_, i) => Number(parents.includes(i)));
      const drawn = oracle.fullRows(random, rows, width, k);
      const W = oracle.normalMatrix(random, width, d);
      const links = { parents: bench.put('u32', parents), hasChildren: bench.put('u32', hasChildren) };
      const before = oracle.normalMatrix(random, width, d);
      const [weights, dW, codes] = [bench.matrix(W), bench.matrix(before), bench.fixedCodes(drawn, width)];
      const together = bench.put(
        'f32',
        new Float32Array((to - split) * (split - from + 1)).fill(2),
        to - split,
        split - from + 1,
      );
      const out = {
        dValue: bench.device.scratchLike(codes, 'f32'),
        next: bench.device.scratchLike(codes, 'u32'),
        rowSums: bench.device.scratch('f64', rows),
      };
      const index = {
        latentPtr: bench.device.scratch('u32', width + 1),
        entryOf: bench.device.scratchLike(codes, 'u32'),
        rowOf: bench.device.scratchLike(codes, 'u32'),
      };
      bench.kernels.familyResiduals(out, codes, weights, { ...links, ...levels });
      bench.kernels.indexLatents(index, codes);
      bench.kernels.coActivate(together, codes, index, levels, 0.5);
      bench.kernels.familyGradient(dW, codes, index, out.next, weights, levels, 0.5);

      // Dense: the residual of every parent with children, from all values of the row.
      const entryGradients: number[] = [];
      const sums = drawn.map(() => 0);
      const expected = before.map((row) => row.slice());
      drawn.forEach((row, r) => {
        const value = new Map(row.map((entry) => [entry.latent, entry.value]));
        const residual = new Map<number, number[]>();
        for (let p = from; p < split; p++) {
          if (!hasChildren[p]) continue;
          const members = parents.flatMap((parent, i) => (parent === p ? [i] : []));
          const r_p = W[0].map(
            (_, i) => (value.get(p) ?? 0) * W[p][i] - oracle.sum(members.map((c) => (value.get(c) ?? 0) * W[c][i])),
          );
          residual.set(p, r_p);
          sums[r] += oracle.dot(r_p, r_p);
        }
        for (const { latent, value: own } of row) {
          const isParent = from <= latent && latent < split && hasChildren[latent] === 1;
          const isChild = split <= latent && latent < to && parents[latent] !== NONE;
          const r_p = isParent ? residual.get(latent)! : isChild ? residual.get(parents[latent])! : undefined;
          const sign = isParent ? 1 : -1;
          entryGradients.push(r_p ? 2 * sign * oracle.dot(r_p, W[latent]) : 0);
          if (r_p) expected[latent] = expected[latent].map((g, i) => g + 0.5 * sign * own * r_p[i]);
        }
      });
      await bench.expectClose(out.rowSums, sums);
      await bench.expectClose(out.dValue, entryGradients);
      await bench.expectClose(dW, expected.flat());
      const counts = Array.from({ length: to - split }, (_, c) =>
        Array.from({ length: split - from + 1 }, (_unused, p) => {
          const active = drawn.map((row) => new Set(row.flatMap((e) => (e.value !== 0 ? [e.latent] : []))));
          return 2 + 0.5 * active.filter((on) => on.has(split + c) && (p === split - from || on.has(from + p))).length;
        }),
      );
      await bench.expectClose(together, counts.flat());
      const next = await bench.read(out.next, 'u32');
      expect(next.filter((e) => e !== NONE && e >= rows * k)).toHaveLength(0);
    }, 60));
});
