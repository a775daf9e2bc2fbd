import { expect, it } from 'vitest';
import { Random } from '../../../src/core/random.ts';
import { RELU } from '../../../src/engine/ops/encode.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { auxiliaryLoss, type AuxConfig, type Deaths } from '../../../src/sae/parts/aux-k.ts';
import { DeadLatents } from '../../../src/sae/parts/dead-latents.ts';
import { onEveryDevice } from '../../engine/devices.ts';
import { checkGradients, leaf, type Leaf, type Leaves } from '../../engine/ops/gradients.ts';
import * as naive from '../../engine/ops/naive.ts';

const [ROWS, WIDTH, D, DEAD_AFTER] = [5, 12, 7, 100];
const isDead = (latent: number): boolean => latent % 3 === 1;
const DEAD = Array.from({ length: WIDTH }, (_, i) => i).filter(isDead);

type Names = 'W_enc' | 'b_enc' | 'W_dec' | 'b_dec';

/** ê: all dead latents with a positive activation, decoded with an output bias or without. */
function estimate(l: Leaves<Names>, x: Leaf, withBias: boolean): Float64Array[] {
  const selection = Array.from({ length: ROWS }, () => DEAD.map((latent) => ({ latent, active: true })));
  const codes = naive.encode(x, l.W_enc, l.b_enc, l.b_dec, selection);
  const active = codes.map((row) => row.filter(({ value }) => value > 0));
  return naive.decode(active, l.W_dec, withBias ? l.b_dec : null);
}

/** Σ ‖r_b − mean r‖² / B */
function spread(r: Float64Array): number {
  const mean = new Float64Array(D);
  r.forEach((value, i) => (mean[i % D] += value / ROWS));
  return r.reduce((sum, value, i) => sum + (value - mean[i % D]) ** 2, 0) / ROWS;
}

const leafOf = (values: Float64Array): Leaf => ({ shape: [ROWS, D], values });

onEveryDevice((bench) => {
  it.each([
    ['dictionary_learning', DEAD.length, 1 / 32],
    ['openai', DEAD.length + 2, 1 / 32],
    ['saelens', DEAD.length, 1],
    ['saelens', 2 * DEAD.length, 1 / 2],
  ] as const)('%s, k_aux %i: value, weight and gradients', async (aux, auxK, weight) => {
    bench.begin();
    const random = new Random(17);
    const x = leaf(random, ROWS, D);
    const r = leaf(random, ROWS, D).values;
    const leaves = {
      W_enc: leaf(random, WIDTH, D),
      b_enc: leaf(random, WIDTH),
      W_dec: leaf(random, WIDTH, D),
      b_dec: leaf(random, D),
    };
    const input = bench.put('f32', x.values, ROWS, D);
    const reconstruction = bench.put(
      'f32',
      x.values.map((value, i) => value - r[i]),
      ROWS,
      D,
    );
    const counter = bench.put(
      'f32',
      Array.from({ length: WIDTH }, (_, i) => (isDead(i) ? DEAD_AFTER : 0)),
    );
    const selected = bench.fixedCodes(
      Array.from({ length: ROWS }, () => [{ latent: 0, value: 1 }]),
      WIDTH,
    );
    const atStart = leaves.b_dec.values;
    await checkGradients(
      bench,
      random,
      leaves,
      (tape, t) => {
        const dead = new DeadLatents(counter, DEAD_AFTER);
        dead.observe(tape, selected);
        const encoder = { W: t.W_enc, bias: t.b_enc, center: t.b_dec, floor: RELU };
        const config: AuxConfig = { aux, auxAlpha: null, auxK, deadAfter: DEAD_AFTER };
        const deaths = { oldest: DEAD_AFTER, dead: DEAD.length };
        const { W_dec, b_dec } = t;
        const term = auxiliaryLoss(tape, config, { x: input, reconstruction, encoder, W_dec, b_dec, dead, deaths })!;
        expect(term.weight).toBeCloseTo(weight, 12);
        return { losses: [term] };
      },
      (l) => {
        const out = estimate(l, x, aux !== 'dictionary_learning');
        const target = aux === 'openai' ? r.map((value, i) => value + atStart[i % D]) : r;
        const error = naive.squaredError(out, leafOf(target));
        return weight * (aux === 'saelens' ? error : error / spread(r));
      },
    );
  });

  it.each([
    ['dictionary_learning', { oldest: DEAD_AFTER - ROWS - 1, dead: 0 }, undefined],
    ['saelens', { oldest: DEAD_AFTER, dead: 0 }, undefined],
    ['openai', { oldest: DEAD_AFTER, dead: 1 }, 0],
  ] as const)('%s: no loss while nothing can be dead, or with weight 0', async (aux, deaths: Deaths, auxAlpha) => {
    bench.begin();
    const [x, W, row] = [bench.out('f32', ROWS, D), bench.out('f32', WIDTH, D), bench.out('f32', D)];
    const dead = new DeadLatents(bench.out('f32', WIDTH), DEAD_AFTER);
    const config: AuxConfig = { aux, auxAlpha: auxAlpha ?? null, auxK: null, deadAfter: DEAD_AFTER };
    const encoder = { W, bias: null, center: null, floor: RELU };
    const inputs = { x, reconstruction: x, encoder, W_dec: W, b_dec: row, dead, deaths };
    expect(auxiliaryLoss(new Tape(bench.device), config, inputs)).toBeUndefined();
  });
});
