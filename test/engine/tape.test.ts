import { expect, it } from 'vitest';
import { Random } from '../../src/core/random.ts';
import type { Tensor } from '../../src/engine/device.ts';
import { decode } from '../../src/engine/ops/decode.ts';
import { encodeTop, RELU } from '../../src/engine/ops/encode.ts';
import { absoluteSum, squaredError } from '../../src/engine/ops/losses.ts';
import { Tape, type Scalar } from '../../src/engine/tape.ts';
import { onEveryDevice, type Bench } from './devices.ts';
import * as oracle from './oracle.ts';

const [ROWS, WIDTH, D, K] = [5, 11, 7, 3];

interface Recorded {
  tape: Tape;
  error: Scalar;
  sparsity: Scalar;
  gradients: { W: Tensor; D: Tensor };
}

/** A tied reconstruction and its L1 term, recorded and not yet differentiated. */
function record(bench: Bench): Recorded {
  bench.begin();
  const random = new Random(4);
  const x = bench.matrix(oracle.normalMatrix(random, ROWS, D));
  const W = bench.matrix(oracle.normalMatrix(random, WIDTH, D));
  const dictionary = bench.matrix(oracle.normalMatrix(random, WIDTH, D));
  const gradients = { W: bench.out('f32', WIDTH, D), D: bench.out('f32', WIDTH, D) };
  const tape = new Tape(bench.device);
  tape.watch(W, gradients.W);
  tape.watch(dictionary, gradients.D);
  const codes = encodeTop(tape, x, { W, bias: null, center: null, floor: RELU }, K);
  const error = squaredError(tape, decode(tape, codes, dictionary, null), x);
  return { tape, error, sparsity: absoluteSum(tape, codes), gradients };
}

async function gradient(bench: Bench, weights: readonly [error: number, sparsity: number][]): Promise<number[]> {
  const { tape, error, sparsity, gradients } = record(bench);
  tape.backward(
    weights.flatMap(([ofError, ofSparsity]) => [
      { value: error, weight: ofError },
      { value: sparsity, weight: ofSparsity },
    ]),
  );
  return [...(await bench.read(gradients.W, 'f32')), ...(await bench.read(gradients.D, 'f32'))];
}

function expectSame(actual: readonly number[], expected: readonly number[]): void {
  actual.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(1e-5));
}

onEveryDevice((bench) => {
  it('the gradient is linear in the weights of the losses', async () => {
    const [error, sparsity] = [await gradient(bench, [[1, 0]]), await gradient(bench, [[0, 1]])];
    expect(error.some((value) => value !== 0)).toBe(true);
    expect(sparsity.some((value) => value !== 0)).toBe(true);
    const both = await gradient(bench, [[0.5, -2]]);
    expectSame(
      both,
      error.map((value, i) => 0.5 * value - 2 * sparsity[i]),
    );
  });

  it('weights of the same loss add up', async () => {
    const split = await gradient(bench, [
      [0.25, 1],
      [0.75, -1],
    ]);
    expectSame(split, await gradient(bench, [[1, 0]]));
  });

  it('no losses: all gradients are 0, whatever was there before', async () => {
    const zeros = Array.from({ length: 2 * WIDTH * D }, () => 0);
    expect((await gradient(bench, [])).map(Math.abs)).toEqual(zeros);
    expect((await gradient(bench, [[0, 0]])).map(Math.abs)).toEqual(zeros);
  });

  it('repeats itself bit by bit', async () => {
    expect(await gradient(bench, [[1, 0.5]])).toEqual(await gradient(bench, [[1, 0.5]]));
  });

  it('nothing is kept for what is not watched', async () => {
    bench.begin();
    const [x, W] = [bench.matrix([[1, 2]]), bench.matrix([[1, 0]])];
    const tape = new Tape(bench.device);
    const codes = encodeTop(tape, x, { W, bias: null, center: null, floor: RELU }, 1);
    const error = squaredError(tape, decode(tape, codes, W, null), x);
    expect(tape.tracks(codes.value, error, W, null)).toBe(false);
    tape.backward([{ value: error, weight: 1 }]);
    expect(tape.slotFor(W)).toBeUndefined();
    expect(tape.gradientOf(codes.value)).toBeUndefined();
    expect(await bench.read(error, 'f64')).toEqual(Float64Array.of(4));
  });

  it('sorts the entries of codes by latent once', async () => {
    bench.begin();
    const tape = new Tape(bench.device);
    const codes = bench.fixedCodes([[{ latent: 2, value: 1 }], [{ latent: 0, value: 1 }]], 3);
    const index = tape.latentIndex(codes);
    expect(tape.latentIndex(codes)).toBe(index);
    expect([...(await bench.read(index.rowOf, 'u32'))]).toEqual([1, 0]);
  });
});
