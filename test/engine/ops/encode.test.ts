import { expect, it } from 'vitest';
import { decode } from '../../../src/engine/ops/decode.ts';
import { encodeAtLeast, encodeBatchTop, encodeTop, encodeTopAmong, RELU } from '../../../src/engine/ops/encode.ts';
import { absoluteSum, squaredError } from '../../../src/engine/ops/losses.ts';
import { topOfCodes } from '../../../src/engine/ops/top-of-codes.ts';
import { Tape } from '../../../src/engine/tape.ts';
import { onEveryDevice } from '../devices.ts';
import { checkGradients, forShapes, leaf } from './gradients.ts';
import * as naive from './naive.ts';

const FLOOR = 0.25;

onEveryDevice((bench) => {
  it('encodeTop, decode: gradients of W, bias, center and dictionary', () =>
    forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W, bias, center] = [
        leaf(random, rows, d),
        leaf(random, width, d),
        leaf(random, width),
        leaf(random, d),
      ];
      const D = leaf(random, width, d);
      const input = bench.put('f32', x.values, rows, d);
      await checkGradients(
        bench,
        random,
        { W, bias, center, D },
        (tape, t) => {
          const codes = encodeTop(tape, input, { W: t.W, bias: t.bias, center: t.center, floor: FLOOR }, k);
          // The center is used twice: before the encoder and as the base of the reconstruction.
          const out = decode(tape, codes, t.D, t.center);
          return {
            losses: [
              { value: squaredError(tape, out, input), weight: 0.75 },
              { value: absoluteSum(tape, codes), weight: 0.5 },
            ],
            selections: [codes],
          };
        },
        (l, [selection]) => {
          const codes = naive.encode(x, l.W, l.bias, l.center, selection);
          return 0.75 * naive.squaredError(naive.decode(codes, l.D, l.center), x) + 0.5 * naive.absoluteSum(codes);
        },
      );
    }));

  it('encodeTop: without bias and center, encoder and decoder tied', () =>
    forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W] = [leaf(random, rows, d), leaf(random, width, d)];
      const input = bench.put('f32', x.values, rows, d);
      await checkGradients(
        bench,
        random,
        { W },
        (tape, t) => {
          const codes = encodeTop(tape, input, { W: t.W, bias: null, center: null, floor: RELU }, k);
          return {
            losses: [{ value: squaredError(tape, decode(tape, codes, t.W, null), input), weight: 1 }],
            selections: [codes],
          };
        },
        (l, [selection]) => naive.squaredError(naive.decode(naive.encode(x, l.W, null, null, selection), l.W, null), x),
      );
    }));

  it('encodeBatchTop: gradients of W, bias and center', () =>
    forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W, bias, center] = [
        leaf(random, rows, d),
        leaf(random, width, d),
        leaf(random, width),
        leaf(random, d),
      ];
      const D = leaf(random, width, d);
      const input = bench.put('f32', x.values, rows, d);
      await checkGradients(
        bench,
        random,
        { W, bias, center, D },
        (tape, t) => {
          const encoder = { W: t.W, bias: t.bias, center: t.center, floor: RELU };
          const codes = encodeBatchTop(tape, input, encoder, Math.ceil((k * rows) / 2));
          const out = decode(tape, codes, t.D, t.center);
          return { losses: [{ value: squaredError(tape, out, input), weight: 0.75 }], selections: [codes] };
        },
        (l, [selection]) => {
          const codes = naive.encode(x, l.W, l.bias, l.center, selection);
          return 0.75 * naive.squaredError(naive.decode(codes, l.D, l.center), x);
        },
      );
    }));

  it('encodeTopAmong: a second encoder over some latents adds to the gradients of the first', () =>
    forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W, bias, center] = [
        leaf(random, rows, d),
        leaf(random, width, d),
        leaf(random, width),
        leaf(random, d),
      ];
      const D = leaf(random, width, d);
      const input = bench.put('f32', x.values, rows, d);
      const some = Array.from({ length: width }, (_, i) => i).filter(() => random.below(3) > 0);
      const list = bench.put(
        'u32',
        Array.from({ length: width }, (_, i) => some[i] ?? 0),
      );
      const among = { list, count: bench.put('u32', [some.length]) };
      await checkGradients(
        bench,
        random,
        { W, bias, center, D },
        (tape, t) => {
          const encoder = { W: t.W, bias: t.bias, center: t.center, floor: RELU };
          const [codes, others] = [encodeTop(tape, input, encoder, k), encodeTopAmong(tape, input, encoder, 3, among)];
          return {
            losses: [
              { value: squaredError(tape, decode(tape, codes, t.D, null), input), weight: 1 },
              { value: squaredError(tape, decode(tape, others, t.D, null), input), weight: 0.25 },
            ],
            selections: [codes, others],
          };
        },
        (l, selections) => {
          const [one, two] = selections.map((selection) =>
            naive.squaredError(naive.decode(naive.encode(x, l.W, l.bias, l.center, selection), l.D, null), x),
          );
          return one + 0.25 * two;
        },
      );
    }));

  it('encodeAtLeast, topOfCodes: entries not taken get the gradient of the first codes only', () =>
    forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W, D] = [leaf(random, rows, d), leaf(random, width, d), leaf(random, width, d)];
      const input = bench.put('f32', x.values, rows, d);
      await checkGradients(
        bench,
        random,
        { W, D },
        (tape, t) => {
          const all = encodeAtLeast(tape, input, { W: t.W, bias: null, center: null, floor: FLOOR });
          const top = topOfCodes(tape, all, k);
          return {
            losses: [
              { value: squaredError(tape, decode(tape, top, t.D, null), input), weight: 1 },
              { value: absoluteSum(tape, all), weight: 0.3 },
              { value: absoluteSum(tape, top), weight: 0.2 },
            ],
            selections: [all, top],
          };
        },
        (l, [all, top]) => {
          const [codes, best] = [all, top].map((selection) => naive.encode(x, l.W, null, null, selection));
          return (
            naive.squaredError(naive.decode(best, l.D, null), x) +
            0.3 * naive.absoluteSum(codes) +
            0.2 * naive.absoluteSum(best)
          );
        },
      );
    }));

  it('topOfCodes alone: the gradient by the codes is 0 where nothing was taken', () =>
    forShapes(async ({ rows, width, d, k }, random) => {
      bench.begin();
      const [x, W, D] = [leaf(random, rows, d), leaf(random, width, d), leaf(random, width, d)];
      const input = bench.put('f32', x.values, rows, d);
      await checkGradients(
        bench,
        random,
        { W, D },
        (tape, t) => {
          const all = encodeAtLeast(tape, input, { W: t.W, bias: null, center: null, floor: FLOOR });
          const top = topOfCodes(tape, all, k);
          return {
            losses: [{ value: squaredError(tape, decode(tape, top, t.D, null), input), weight: 1 }],
            selections: [top],
          };
        },
        (l, [top]) => naive.squaredError(naive.decode(naive.encode(x, l.W, null, null, top), l.D, null), x),
      );
    }));

  it('rows without any active latent: everything is the base', async () => {
    bench.begin();
    const x = bench.matrix([
      [1, 2],
      [3, 4],
    ]);
    const W = bench.matrix([
      [-1, -1],
      [-2, 0],
      [0, -3],
    ]);
    const base = bench.vector([0.5, -0.5]);
    const gradient = bench.out('f32', 3, 2);
    for (const encode of [
      (tape: Tape) => encodeTop(tape, x, { W, bias: null, center: null, floor: RELU }, 2),
      (tape: Tape) => encodeAtLeast(tape, x, { W, bias: null, center: null, floor: RELU }),
    ]) {
      const tape = new Tape(bench.device);
      tape.watch(W, gradient);
      const out = decode(tape, encode(tape), W, base);
      tape.backward([{ value: squaredError(tape, out, x), weight: 1 }]);
      expect([...(await bench.read(out, 'f32'))]).toEqual([0.5, -0.5, 0.5, -0.5]);
      expect([...(await bench.read(gradient, 'f32'))]).toEqual([0, 0, 0, 0, 0, 0]);
    }
  });
});
