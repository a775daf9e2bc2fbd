/** Inputs of the determinism suite. */
import { Random } from '../../src/core/random.ts';
import { sizeOf, type Codes, type LatentIndex, type Tensor } from '../../src/engine/device.ts';
import type { Children, FamilyLinks, Window } from '../../src/engine/kernels.ts';
import type { Bench } from './devices.ts';
import * as oracle from './oracle.ts';

export const [ROWS, WIDTH, D, K] = [600, 1000, 50, 16];
export const SHAPE = { atoms: 4, subspace: 5, theta: 0.1, slope: 0.1 };
export const FLOOR = 0.5;
export const LEVELS = { from: 100, split: 300, to: 950 };

/** Inputs at a medium size: several blocks of rows, no dimension a multiple of the number of threads. */
export class Lab {
  readonly bench: Bench;
  readonly x: Tensor;
  readonly W: Tensor;
  readonly perRow: Tensor;
  readonly perLatent: Tensor;
  readonly row: Tensor;
  readonly experts: Tensor;
  readonly families: Children;
  readonly codes: Codes;
  readonly top: Codes;

  constructor(bench: Bench) {
    const random = new Random(11);
    const floats = (...shape: number[]): Tensor =>
      bench.put('f32', oracle.normalVector(random, sizeOf(shape)), ...shape);
    this.bench = bench;
    this.x = floats(ROWS, D);
    this.W = floats(WIDTH, D);
    this.perRow = floats(ROWS);
    this.perLatent = floats(WIDTH);
    this.row = floats(D);
    this.experts = floats(WIDTH, SHAPE.atoms, SHAPE.subspace);
    this.families = this.#families();
    this.codes = bench.device.scratchCodes(ROWS, WIDTH);
    this.top = bench.device.scratchCodes(ROWS, WIDTH, K);
  }

  out(...shape: number[]): Tensor {
    return this.bench.device.scratch('f32', ...shape);
  }

  sums(length: number): Tensor {
    return this.bench.device.scratch('f64', length);
  }

  /** Codes of open size: everything above a floor. */
  encoded(): Codes {
    this.bench.kernels.encodeAtLeast(this.codes, this.x, this.W, this.perLatent, FLOOR);
    return this.codes;
  }

  topped(): Codes {
    this.bench.kernels.encodeTop(this.top, this.x, this.W, this.perLatent, FLOOR);
    return this.top;
  }

  indexed(codes: Codes): LatentIndex {
    const { device, kernels } = this.bench;
    const index = {
      latentPtr: device.scratch('u32', WIDTH + 1),
      entryOf: device.scratchLike(codes, 'u32'),
      rowOf: device.scratchLike(codes, 'u32'),
    };
    kernels.indexLatents(index, codes);
    return index;
  }

  /** Latent 0 has many children, a few others have some, most have none; nobody has two parents. */
  #families(): Children {
    const childPtr = new Uint32Array(WIDTH + 1);
    for (let p = 0; p < WIDTH; p++) childPtr[p + 1] = Math.min(WIDTH, childPtr[p] + childCount(p));
    const children = Uint32Array.from({ length: childPtr[WIDTH] }, (_, i) => (7 * i) % WIDTH);
    return { childPtr: this.bench.put('u32', childPtr), children: this.bench.put('u32', children) };
  }

  /** Some number for every entry. */
  dots(codes: Codes): Tensor {
    const out = this.bench.device.scratchLike(codes, 'f32');
    this.bench.kernels.gatheredDots(out, false, codes, codes.value, this.W, this.x);
    return out;
  }

  /** Codes above lifted thresholds, and where they lie by them. */
  jumped(): { codes: Codes; z: Tensor; value: Tensor; window: Window } {
    const { device, kernels } = this.bench;
    const codes = this.encoded();
    const lifted = this.out(WIDTH);
    kernels.liftBias(lifted, this.perLatent, this.perLatent, 1.5);
    const [z, value] = [device.scratchLike(codes, 'f32'), device.scratchLike(codes, 'f32')];
    kernels.jump({ z, value }, codes, lifted, this.perLatent, this.perLatent);
    return { codes: device.withValues(codes, value), z, value, window: { z, threshold: this.perLatent, bandwidth: 3 } };
  }

  /** Parents for most latents of the lower level; before anything is recorded. */
  levels(): FamilyLinks {
    const random = new Random(12);
    const { from, split, to } = LEVELS;
    const parents = Array.from({ length: WIDTH }, (_, i) =>
      i < split || i >= to || random.below(5) === 0 ? 2 ** 32 - 1 : from + random.below(split - from),
    );
    const hasChildren = parents.map((_, i) => Number(parents.includes(i)));
    return { parents: this.bench.put('u32', parents), hasChildren: this.bench.put('u32', hasChildren) };
  }

  residuals(codes: Codes, links: FamilyLinks): { dValue: Tensor; next: Tensor; rowSums: Tensor } {
    const { device, kernels } = this.bench;
    const out = {
      dValue: device.scratchLike(codes, 'f32'),
      next: device.scratchLike(codes, 'u32'),
      rowSums: this.sums(ROWS),
    };
    kernels.familyResiduals(out, codes, this.W, { ...links, ...LEVELS });
    return out;
  }

  expertsForward(codes: Codes): { y: Tensor; c: Tensor; winner: Tensor; sub: Tensor; rowSums: Tensor } {
    const { device, kernels } = this.bench;
    const y = device.scratchLike(codes, 'f32', SHAPE.subspace);
    const projection = device.scratch('f32', WIDTH * SHAPE.subspace, D);
    for (let i = 0; i < SHAPE.subspace; i++) kernels.place(projection, i * WIDTH * D, this.W);
    kernels.gatheredDots(y, false, codes, null, projection, this.x, SHAPE.subspace);
    const out = {
      c: device.scratchLike(codes, 'f32', SHAPE.subspace),
      winner: device.scratchLike(codes, 'u32'),
      sub: device.scratchLike(codes, 'f32'),
      rowSums: this.sums(ROWS),
    };
    kernels.expertsForward(out, codes, y, this.experts, this.experts, SHAPE);
    return { y, ...out };
  }

  normalized(codes: Codes): { out: Tensor; std: Tensor; silent: Tensor } {
    const out = { out: this.out(codes.rows, codes.width), std: this.out(codes.rows), silent: this.sums(codes.rows) };
    this.bench.kernels.normalizeCodes(out, codes);
    return out;
  }

  /** A matching pursuit with rows that stop early. */
  pursued(): { residual: Tensor; order: Codes; codes: Codes } {
    const { device, kernels } = this.bench;
    kernels.normalizeRows(this.W, 0);
    const [residual, scores, gram] = [this.out(ROWS, D), this.out(ROWS, WIDTH), this.out(WIDTH, WIDTH)];
    kernels.scale(residual, false, this.x, 1);
    kernels.product(scores, this.x, this.W, 'nt');
    kernels.product(gram, this.W, this.W, 'nt');
    const out = {
      residual,
      order: device.scratchCodes(ROWS * K, WIDTH, 1),
      codes: device.scratchCodes(ROWS, WIDTH, K),
    };
    kernels.pursue(out, scores, gram, this.W, { threshold: 2, onRepeat: true });
    return out;
  }
}

const childCount = (p: number): number => (p === 0 ? 300 : p % 7 === 3 ? p % 11 : 0);
