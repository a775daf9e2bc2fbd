import { expect, it } from 'vitest';
import type { Random } from '../../../src/core/random.ts';
import type { ExpertShape } from '../../../src/engine/kernels.ts';
import { decode } from '../../../src/engine/ops/decode.ts';
import { encodeTop } from '../../../src/engine/ops/encode.ts';
import { expertCodes } from '../../../src/engine/ops/experts.ts';
import { squaredError } from '../../../src/engine/ops/losses.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { onEveryDevice } from '../devices.ts';
import { checkGradients, forShapes, leaf, type Leaf, type Leaves, type Selection } from './gradients.ts';
import * as naive from './naive.ts';

const FLOOR = 0.5;
type Name = 'W' | 'D' | 'down' | 'encoder' | 'decoder' | 'up';

/** q of every atom of expert j for input x_r. */
function atomCodes(x: Leaf, l: Leaves<Name>, r: number, j: number, shape: ExpertShape): number[] {
  const { atoms: a, subspace: s, theta, slope } = shape;
  const d = x.shape[1];
  const input = naive.row(x.values, r, d);
  const y = Float64Array.from({ length: s }, (_, i) => naive.dot(naive.row(l.down.values, j * s + i, d), input));
  return Array.from({ length: a }, (_, m) => {
    const u = naive.dot(naive.row(l.encoder.values, j * a + m, s), y);
    return u >= theta ? u : slope * u;
  });
}

/** Total loss with the two-level reconstruction; `winners` are frozen. */
function naiveLoss(
  x: Leaf,
  l: Leaves<Name>,
  selection: Selection,
  winners: number[][],
  shape: ExpertShape,
  l1: number,
): number {
  const { atoms: a, subspace: s } = shape;
  const d = x.shape[1];
  let absolute = 0;
  const base = naive.decode(naive.encode(x, l.W, null, null, selection), l.D, null);
  selection.forEach((entries, r) =>
    entries.forEach(({ latent: j, active }, t) => {
      const q = atomCodes(x, l, r, j, shape);
      absolute += q.reduce((sum, value) => sum + Math.abs(value), 0);
      if (!active) return;
      const m = winners[r][t];
      for (let i = 0; i < s; i++) {
        const c = q[m] * l.decoder.values[(j * a + m) * s + i];
        for (let p = 0; p < d; p++) base[r][p] += c * l.up.values[(j * s + i) * d + p];
      }
    }),
  );
  return naive.squaredError(base, x) + (l1 * absolute) / selection.length;
}

const argmax = (values: readonly number[]): number => values.indexOf(Math.max(...values));

/** Far from the kinks at 0 and θ, and with clear winners: there the loss is smooth. */
function isSmooth(q: readonly number[], { theta, slope }: ExpertShape): boolean {
  const sorted = q.toSorted((a, b) => b - a);
  return (
    q.every(
      (value) =>
        Math.abs(value) > 1e-4 * slope &&
        Math.abs(value - theta) > 1e-3 &&
        Math.abs(value - slope * theta) > 1e-3 * slope,
    ) &&
    (q.length === 1 || sorted[0] - sorted[1] > 1e-4)
  );
}

function expertLeaves(random: Random, width: number, d: number, { atoms: a, subspace: s }: ExpertShape): Leaves<Name> {
  return {
    W: leaf(random, width, d),
    D: leaf(random, width, d),
    down: leaf(random, width, s, d),
    encoder: leaf(random, width, a, s),
    decoder: leaf(random, width, a, s),
    up: leaf(random, width, s, d),
  };
}

onEveryDevice((bench) => {
  it.each([0, 0.4])('reconstruction on two levels, weight of the L1 term %s', (l1) => {
    let checked = 0;
    return forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const shape = { atoms: 1 + random.below(5), subspace: 1 + random.below(5), theta: 0.375, slope: 0.125 };
      const x = leaf(random, rows, d);
      const leaves = expertLeaves(random, width, d, shape);
      const everything = Array.from({ length: rows }, (_, r) =>
        Array.from({ length: width }, (_unused, j) => atomCodes(x, leaves, r, j, shape)),
      );
      if (!everything.flat().every((q) => isSmooth(q, shape))) return;
      checked++;
      const input = bench.put('f32', x.values, rows, d);
      await checkGradients(
        bench,
        random,
        leaves,
        (tape, t) => {
          const top = encodeTop(tape, input, { W: t.W, bias: null, center: null, floor: FLOOR }, k);
          const { c, absolute } = expertCodes(tape, input, top, t, shape);
          const out = decode(tape, top, t.up, decode(tape, top, t.D, null), { values: c, block: shape.subspace });
          return {
            losses: [
              { value: squaredError(tape, out, input), weight: 1 },
              { value: absolute, weight: l1 },
            ],
            selections: [top],
          };
        },
        (l, [selection]) => {
          const winners = selection.map((entries, r) => entries.map(({ latent }) => argmax(everything[r][latent])));
          return naiveLoss(x, l, selection, winners, shape, l1);
        },
      );
    }, 40).then(() => expect(checked).toBeGreaterThan(15));
  });

  it('experts of value 0 reconstruct nothing, but their atoms are in the L1 term and get its gradient', async () => {
    bench.begin();
    // Nothing reaches the floor: experts 0 and 1 fill up, 2 is not selected.
    const x = bench.matrix([[2, 0]]);
    const W = bench.matrix([
      [0, 1],
      [-1, 0],
      [0, -1],
    ]);
    const experts = {
      down: bench.put('f32', [1, 0, 0, 1, 1, 1], 3, 1, 2),
      encoder: bench.put('f32', [0.5, -1, 1, 1, 1, 1], 3, 2, 1),
      decoder: bench.put('f32', [1, 1, 1, 1, 1, 1], 3, 2, 1),
    };
    const gradients = {
      down: bench.out('f32', 3, 1, 2),
      encoder: bench.out('f32', 3, 2, 1),
      decoder: bench.out('f32', 3, 2, 1),
    };
    const up = bench.put('f32', [1, 1, 1, 1, 1, 1], 3, 1, 2);
    const tape = new Tape(bench.device);
    for (const name of ['down', 'encoder', 'decoder'] as const) tape.watch(experts[name], gradients[name]);
    const top = encodeTop(tape, x, { W, bias: null, center: null, floor: FLOOR }, 2);
    const { c, sub, absolute } = expertCodes(tape, x, top, experts, { atoms: 2, subspace: 1, theta: 0.5, slope: 0.25 });
    const out = decode(tape, top, up, null, { values: c });
    tape.backward([
      { value: squaredError(tape, out, x), weight: 1 },
      { value: absolute, weight: 3 },
    ]);
    expect([...(await bench.read(out, 'f32'))]).toEqual([0, 0]);
    expect([...(await bench.read(sub, 'f32'))]).toEqual([0, 0]);
    // Expert 0 sees y = 2: u = 1 and −2, q = 1 and −0.5. Expert 1 sees y = 0: q = 0, sign 0.
    expect(await bench.read(absolute, 'f64')).toEqual(Float64Array.of(1.5));
    expect([...(await bench.read(gradients.encoder, 'f32'))]).toEqual([3 * 2, 3 * -0.25 * 2, 0, 0, 0, 0]);
    const dY = 3 * 0.5 + 3 * -0.25 * -1;
    expect([...(await bench.read(gradients.down, 'f32'))]).toEqual([dY * 2, 0, 0, 0, 0, 0]);
    expect([...(await bench.read(gradients.decoder, 'f32'))].map(Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
  });
});
