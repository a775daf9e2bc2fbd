import { describe, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import type { Tensor } from '../../src/engine/device.ts';
import { Tape } from '../../src/engine/tape.ts';
import { route } from '../../src/engine/ops/route.ts';
import { switchSae } from '../../src/sae/switch.ts';
import { build, clustered, difference, floats, onDevices, parameter, passOf, put, train } from './bench.ts';

const [D, F, N, K, ROWS] = [16, 24, 3, 4, 32];
const config = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  width: F,
  experts: N,
  k: K,
  lr: 0.01,
  ...over,
});
const batchOf = (seed: number) => (step: number) => clustered(new Random(seed, step), ROWS, D, 6);

onDevices((device) => {
  it('training lowers the loss', async () => {
    const totals = await train(device(), build(device(), switchSae, config()), 60, batchOf(1));
    expect(Math.max(...totals.slice(-5))).toBeLessThan(0.6 * totals[0]);
  });

  it('a token uses only its expert, and the values carry its probability', async () => {
    const sae = build(device(), switchSae, config());
    const plain = build(device(), switchSae, config({ heaviside: true }));
    await train(device(), sae, 5, batchOf(2));
    for (const { name, tensor } of sae.parameters)
      device().write(parameter(plain, name), await floats(device(), tensor));
    const x = put(device(), batchOf(3)(0), ROWS, D);
    const [{ codes }, { codes: raw }] = [await passOf(device(), sae, x, 5), await passOf(device(), plain, x, 5)];
    device().beginStep();
    const routes = route(new Tape(device()), x, { W: parameter(sae, 'W_router'), center: parameter(sae, 'b_router') });
    const expert = await device().read(routes.expert.index as Tensor & { dtype: 'u32' });
    const chosen = await floats(device(), routes.chosen);
    expect(new Set(expert).size).toBeGreaterThan(1);
    let active = 0;
    codes.forEach((row, r) => {
      expect(row).toHaveLength(K);
      const [mine, theirs] = [row, raw[r]].map((entries) => entries.filter(({ value }) => value > 0));
      for (const { latent } of mine) expect(Math.floor(latent / (F / N))).toBe(expert[r]);
      expect(mine.map(({ latent }) => latent)).toEqual(theirs.map(({ latent }) => latent));
      expect(
        difference(
          mine.map(({ value }) => value),
          theirs.map(({ value }) => value * chosen[r]),
        ),
      ).toBeLessThan(1e-5);
      active += mine.length;
    });
    expect(active).toBeGreaterThan(ROWS);
  });

  it('gradients agree with differences of the loss', async () => {
    const sae = build(device(), switchSae, config({ balanceAlpha: 0.5 }));
    await train(device(), sae, 3, batchOf(4));
    const x = put(device(), batchOf(5)(0), ROWS, D);
    const total = async (): Promise<number> => {
      const { losses } = await passOf(device(), sae, x, 3);
      return losses.l2 + 0.5 * D * losses.balance;
    };
    const { gradients } = await passOf(device(), sae, x, 3);
    for (const name of ['W_router', 'b_router', 'W_enc', 'b_dec']) {
      const tensor = parameter(sae, name);
      const values = await floats(device(), tensor);
      // Along the gradient itself: choices stay what they are for a small step.
      const norm = Math.sqrt(gradients[name].reduce((sum, g) => sum + g * g, 0));
      const step = 1e-3;
      const at = async (sign: number): Promise<number> => {
        device().write(
          tensor,
          values.map((value, i) => value + (sign * step * gradients[name][i]) / norm),
        );
        return total();
      };
      const slope = ((await at(1)) - (await at(-1))) / (2 * step);
      device().write(tensor, values);
      expect(Math.abs(slope - norm) / norm, name).toBeLessThan(0.02);
    }
  });

  it('under heaviside the router learns from the load balance alone', async () => {
    const sae = build(device(), switchSae, config({ heaviside: true, balanceAlpha: 0 }));
    const { gradients } = await passOf(device(), sae, put(device(), batchOf(6)(0), ROWS, D), 0);
    expect(Math.max(...gradients.W_router.map(Math.abs))).toBe(0);
    expect(Math.max(...gradients.W_enc.map(Math.abs))).toBeGreaterThan(0);
  });

  it('both biases start at the median; aliased they stay one vector, else they part', async () => {
    for (const aliasedBiases of [true, false]) {
      const sae = build(device(), switchSae, config({ aliasedBiases }));
      await train(device(), sae, 3, batchOf(7));
      const [a, b] = [
        await floats(device(), parameter(sae, 'b_dec')),
        await floats(device(), parameter(sae, 'b_router')),
      ];
      if (aliasedBiases) expect(b).toEqual(a);
      else expect(difference(a, b)).toBeGreaterThan(1e-4);
    }
  });
});

describe('configuration', () => {
  it.each([
    [{ width: 10, experts: 3, k: 2 }, 'experts: 3 do not share 10 latents evenly'],
    [{ width: 12, experts: 3, k: 5 }, "k: 5 active latents of an expert's 4"],
  ])('%j is refused', (given, message) => {
    expect(switchSae.check!(switchSae.schema.parse(given))).toContain(message);
  });

  it('the defaults pass, and cost one expert', () => {
    const parsed = switchSae.schema.parse({});
    expect(switchSae.check!(parsed)).toBeUndefined();
    expect(switchSae.cost(parsed, 10).encodeFlops).toBe(2 * 10 * (8 + 2048));
  });
});
