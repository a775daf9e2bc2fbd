import { afterAll, expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import { CpuDevice } from '../../src/engine/cpu/device.ts';
import { forestOf } from '../../src/evals/forest-of.ts';
import { Forest } from '../../src/forest/forest.ts';
import type { ActivationSource } from '../../src/activations/source.ts';
import { context, linearSae, memorySource } from './support.ts';

const device = await CpuDevice.create({ threads: 1 });
afterAll(() => device.close());

const D = 4;
const IDENTITY = Float64Array.from({ length: D * D }, (_, i) => (i % (D + 1) === 0 ? 1 : 0));
const sae = linearSae(device, D, IDENTITY, IDENTITY);

/** Training rows in which 0 is on wherever 1 or 2 is, and 3 on its own; every held-out row would suggest that 3 is under 1. */
function source(): ActivationSource & { batches: number[] } {
  const heldOut = Float32Array.from({ length: 100 * D }, (_, i) =>
    i % D === 1 || (i % D === 3 && i % 8 === 3) ? 1 : 0,
  );
  const batches: number[] = [];
  return {
    ...memorySource(heldOut, D),
    batches,
    trainRows: 2000,
    batch: async (index, out) => {
      batches.push(index);
      const random = new Random(3, index);
      for (let row = 0; row < out.length / D; row++) {
        const child = random.below(8);
        out.set([child < 3 ? 1 : 0, child === 1 ? 1 : 0, child === 2 ? 1 : 0, random.below(4) === 0 ? 1 : 0], row * D);
      }
    },
  };
}

it('takes the forest that is given, then the SAE’s own', async () => {
  const forest = new Forest(Int32Array.of(-1, 0, 0, -1));
  const given = await forestOf(context(device, sae, source(), { forest }));
  expect(given).toEqual({ forest, how: 'the forest that was given', own: false });
  const own = await forestOf(context(device, { ...sae, forest }, source()));
  expect(own).toEqual({ forest, how: "the SAE's own forest", own: true });
  const other = new Forest(Int32Array.of(-1, -1, -1, 0));
  expect((await forestOf(context(device, { ...sae, forest }, source(), { forest: other }))).forest).toBe(other);
});

it('extracts one of a flat SAE from training rows, never from those that it is judged on', async () => {
  const rows = source();
  const { forest, how, own } = await forestOf(context(device, sae, rows));
  expect([...forest.parent]).toEqual([-1, 0, 0, -1]);
  expect(own).toBe(false);
  expect(how).toMatch(/^a forest extracted from 2,000 training rows \(coverage, P\(parent \| child\) ≥ 0\.5\)$/);
  expect(rows.batches).toEqual([0]);
  // A batch of a generated source depends on its size.
  expect(await forestOf(context(device, sae, source(), { batchRows: 500 }))).toEqual({ forest, how, own });
});

it('finds no forest where there is nothing to extract it from', async () => {
  const nothing = memorySource(new Float32Array(8), D);
  const { forest, how } = await forestOf(context(device, sae, nothing));
  expect([...forest.parent]).toEqual([-1, -1, -1, -1]);
  expect(how).toContain('from 0 training rows');
});
