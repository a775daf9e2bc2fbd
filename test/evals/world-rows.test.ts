import { describe, expect, it } from 'vitest';
import { EMBEDDED_MODEL } from '../../src/cli/embedded-model.ts';
import { readWorldRows } from '../../src/evals/world-rows.ts';
import { LanguageModel } from '../../src/lm/model.ts';
import { packTokens } from '../../src/lm/tokens.ts';
import { World } from '../../src/world/world.ts';

const site = { layer: 1, hook: 'resid_post' } as const;

describe('rows of the world', async () => {
  const world = new World();
  const model = await LanguageModel.open(EMBEDDED_MODEL);
  const rows = await readWorldRows(model, world, { split: 'held-out', site, rows: 3000 });

  it('have the activations of their tokens, whatever the batch', async () => {
    const { tokens } = world.document('held-out', 0);
    const prefix = await model.prefix([site]);
    const [alone] = await prefix.run(packTokens([tokens], 0));
    await prefix.release();
    const { acts } = await rows.rows(0, tokens.length - 1);
    for (const [i, value] of acts.entries()) expect(value).toBeCloseTo(alone[rows.d + i], 2);
  });

  it('have the whole chain of concepts of every token', async () => {
    const { concepts } = world.document('held-out', 0);
    const { truth } = await rows.rows(0, concepts.length - 1);
    for (let r = 0; r < truth.rows; r++) {
      const on = [...truth.index.subarray(truth.rowPtr[r], truth.rowPtr[r + 1])];
      expect(on).toEqual(world.chainOf(concepts[r + 1]));
    }
  });

  it('can be had from anywhere', async () => {
    const whole = await rows.rows(0, 3000);
    const part = await rows.rows(2500, 500);
    expect(part.acts).toEqual(whole.acts.slice(2500 * rows.d));
    expect(part.truth.rows).toBe(500);
  });

  it('are the same however they are read', async () => {
    const whole = await rows.rows(0, 3000);
    const backwards = await readWorldRows(model, world, { split: 'held-out', site, rows: 3000 });
    for (const [start, count] of [
      [2700, 300],
      [1, 2400],
      [0, 1],
      [2400, 300],
    ]) {
      const part = await backwards.rows(start, count);
      expect(part.acts).toEqual(whole.acts.slice(start * rows.d, (start + count) * rows.d));
      const from = whole.truth.rowPtr[start];
      expect([...part.truth.rowPtr]).toEqual(
        [...whole.truth.rowPtr.subarray(start, start + count + 1)].map((at) => at - from),
      );
      expect(part.truth.index).toEqual(whole.truth.index.slice(from, whole.truth.rowPtr[start + count]));
    }
  });

  it('are made anew where they were not kept', async () => {
    const sample = { split: 'held-out', site, rows: 3000, keptBytes: 0 } as const;
    const forgetful = await readWorldRows(model, world, sample);
    const rowsOf = async (start: number): Promise<Float32Array> => (await forgetful.rows(start, 200)).acts;
    const first = await rowsOf(0);
    await rowsOf(2500);
    const again = await rowsOf(0);
    expect(again).not.toBe(first);
    expect(again).toEqual(first);
    expect((await rows.rows(0, 200)).acts).toEqual(first);
  });

  it('need a model of this world', async () => {
    const other = new World({ seed: 1 });
    const sample = { split: 'train', site, rows: 10 } as const;
    await expect(readWorldRows(model, other, sample)).rejects.toThrow(
      /the model calls token \d+ .* in this world it is/,
    );
  });
});
