import { expect, it } from 'vitest';
import type { Random } from '../../../src/core/random.ts';
import { onEveryDevice } from '../devices.ts';
import * as oracle from '../oracle.ts';
import type { Matrix, Rows } from '../oracle.ts';

interface Experts {
  entries: { row: number; latent: number; value: number; y: number[] }[];
  /** Atoms of each latent, [atoms, subspace] each. */
  E: Matrix[];
  D: Matrix[];
  theta: number;
  slope: number;
}

const leaky = ({ theta, slope }: Experts, u: number): number => (u >= theta ? u : slope * u);

/** One expert as methods 3.1 write it: all atoms, then the winner. */
function forward(experts: Experts, { latent, value, y }: Experts['entries'][number]) {
  const u = experts.E[latent].map((atom) => oracle.dot(atom, y));
  const q = u.map((pre) => leaky(experts, pre));
  const winner = q.indexOf(Math.max(...q));
  const sub = value > 0 ? q[winner] : 0;
  return { u, q, winner, sub, c: experts.D[latent][winner].map((v) => sub * v) };
}

function draw(random: Random, rows: Rows, width: number, atoms: number, subspace: number): Experts {
  const entries = rows.flatMap((entriesOfRow, row) =>
    entriesOfRow.map((entry) => ({ ...entry, row, y: oracle.exactVector(random, subspace) })),
  );
  // Exact numbers: two atoms tie exactly or not at all, and no score is near theta.
  const stack = (): Matrix[] => Array.from({ length: width }, () => oracle.exactMatrix(random, atoms, subspace));
  return { entries, E: stack(), D: stack(), theta: 0.25, slope: 0.125 };
}

const flat = (stack: Matrix[]): number[] => stack.flat(2);

onEveryDevice((bench) => {
  it('forward: winner, sub-activation, contribution and L1 norm of every selected expert', () =>
    oracle.forShapes(async ({ rows: count, width, k, d, block: atoms }, random) => {
      bench.begin();
      const subspace = 1 + (d % 6);
      const rows = oracle.fullRows(random, count, width, k);
      const experts = draw(random, rows, width, atoms, subspace);
      const { entries, E, D, theta, slope } = experts;
      const put = (stack: Matrix[]) => bench.put('f32', flat(stack), width, atoms, subspace);
      const y = bench.put(
        'f32',
        entries.flatMap((entry) => entry.y),
        entries.length,
        subspace,
      );
      const [encoder, decoder, codes] = [put(E), put(D), bench.fixedCodes(rows, width)];
      const out = {
        c: bench.out('f32', entries.length, subspace),
        winner: bench.out('u32', entries.length),
        sub: bench.out('f32', entries.length),
        rowSums: bench.out('f64', count),
      };
      bench.kernels.expertsForward(out, codes, y, encoder, decoder, { atoms, subspace, theta, slope });
      const expected = entries.map((entry) => forward(experts, entry));
      expect([...(await bench.read(out.winner, 'u32'))]).toEqual(expected.map(({ winner }) => winner));
      await bench.expectClose(
        out.sub,
        expected.map(({ sub }) => sub),
      );
      await bench.expectClose(
        out.c,
        expected.flatMap(({ c }) => c),
      );
      const sizes = expected.map(({ q }) => oracle.sum(q.map(Math.abs)));
      const rowSums = rows.map((_, r) => oracle.sum(sizes.filter((__, e) => entries[e].row === r)));
      await bench.expectClose(out.rowSums, rowSums);
    }));

  it('backward: gradients by projected inputs, encoders and decoders', () =>
    oracle.forShapes(async ({ rows: count, width, k, d, block: atoms }, random) => {
      bench.begin();
      const subspace = 1 + (d % 6);
      const rows = oracle.fullRows(random, count, width, k);
      const experts = draw(random, rows, width, atoms, subspace);
      const { entries, E, D, theta, slope } = experts;
      const results = entries.map((entry) => forward(experts, entry));
      const dC = entries.map(() => oracle.normalVector(random, subspace));
      const l1 = 0.3;
      const accumulate = random.below(2) === 1;
      const before = Array.from({ length: width }, () => oracle.normalMatrix(random, atoms, subspace));
      const zeros = before.map((expert) => expert.map((atom) => atom.map(() => 0)));

      const put = (stack: Matrix[]) => bench.put('f32', flat(stack), width, atoms, subspace);
      const saved = {
        winner: bench.put(
          'u32',
          results.map(({ winner }) => winner),
        ),
        sub: bench.vector(results.map(({ sub }) => sub)),
        y: bench.matrix(entries.map((entry) => entry.y)),
        dC: bench.matrix(dC),
      };
      const out = { dY: bench.out('f32', entries.length, subspace), dE: put(before), dD: put(before), accumulate };
      const [encoder, decoder, codes] = [put(E), put(D), bench.fixedCodes(rows, width)];
      const index = {
        latentPtr: bench.out('u32', width + 1),
        entryOf: bench.out('u32', entries.length),
        rowOf: bench.out('u32', entries.length),
      };
      bench.kernels.indexLatents(index, codes);
      bench.kernels.expertsBackward(out, codes, index, saved, encoder, decoder, { atoms, subspace, theta, slope }, l1);

      const start = accumulate ? before : zeros;
      const [dE, dD] = [structuredClone(start), structuredClone(start)];
      const dY = entries.map(({ latent, value, y }, e) => {
        const { u, q, winner, sub } = results[e];
        const dq = q.map((v) => l1 * Math.sign(v));
        if (value > 0) {
          dq[winner] += oracle.dot(dC[e], D[latent][winner]);
          dC[e].forEach((g, i) => (dD[latent][winner][i] += sub * g));
        }
        const du = dq.map((g, m) => (u[m] >= theta ? g : slope * g));
        du.forEach((g, m) => y.forEach((v, i) => (dE[latent][m][i] += g * v)));
        return y.map((_, i) => oracle.sum(du.map((g, m) => g * E[latent][m][i])));
      });
      await bench.expectClose(out.dY, dY.flat());
      await bench.expectClose(out.dE, flat(dE));
      await bench.expectClose(out.dD, flat(dD));
    }));

  it('joinExperts: top entries, then the winning atoms', () =>
    oracle.forShapes(async ({ rows: count, width, k, block: atoms }, random) => {
      bench.begin();
      const rows = oracle.fullRows(random, count, width, k);
      const winners = rows.map((row) => row.map(() => random.below(atoms)));
      const subs = rows.map((row) => oracle.normalVector(random, row.length));
      const [winner, sub] = [bench.put('u32', winners.flat()), bench.vector(subs.flat())];
      const [top, out] = [bench.fixedCodes(rows, width), bench.device.scratchCodes(count, width * (1 + atoms), 2 * k)];
      bench.kernels.joinExperts(out, top, winner, sub, atoms);
      const joined = rows.map((row, r) => [
        ...row,
        ...row.map(({ latent }, i) => ({ latent: width + latent * atoms + winners[r][i], value: subs[r][i] })),
      ]);
      await bench.expectCodes(out, joined);
    }));
});
