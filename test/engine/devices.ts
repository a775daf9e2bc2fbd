/** The devices under test, and a bench on which a test lays out tensors and codes. */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { CpuDevice } from '../../src/engine/cpu/device.ts';
import { sizeOf, type Codes, type Device, type DType, type HostArrays, type Tensor } from '../../src/engine/device.ts';
import { ReferenceDevice } from '../../src/engine/reference/device.ts';
import type { Matrix, Rows } from './oracle.ts';

export interface DeviceUnderTest {
  name: string;
  open(): Promise<Device>;
  /** Largest error of a result, relative to the largest number of the tensor (at least 1). */
  tolerance: number;
}

export const DEVICES: readonly DeviceUnderTest[] = [
  { name: 'reference', open: async () => new ReferenceDevice(), tolerance: 1e-6 },
  { name: 'cpu, ONNX Runtime, 2 threads', open: () => CpuDevice.create({ threads: 2 }), tolerance: 1e-5 },
  { name: 'cpu, ONNX Runtime, 1 thread', open: () => CpuDevice.create({ threads: 1 }), tolerance: 1e-5 },
  { name: 'cpu, portable product', open: () => CpuDevice.create({ threads: 2, product: 'wasm' }), tolerance: 1e-5 },
];

/** Runs the same suite on every device. */
export function onEveryDevice(suite: (bench: Bench) => void): void {
  for (const setup of DEVICES) {
    describe(setup.name, () => {
      const bench = new Bench(setup.tolerance);
      beforeAll(async () => void (bench.device = await setup.open()));
      afterAll(() => bench.device.close());
      suite(bench);
    });
  }
}

export class Bench {
  device!: Device;
  readonly #tolerance: number;

  constructor(tolerance: number) {
    this.#tolerance = tolerance;
  }

  get kernels(): Device['kernels'] {
    return this.device.kernels;
  }

  /** Clears the bench. */
  begin(): void {
    this.device.beginStep();
  }

  put(dtype: DType, data: ArrayLike<number>, ...shape: number[]): Tensor {
    const tensor = this.device.scratch(dtype, ...(shape.length > 0 ? shape : [data.length]));
    this.device.write(tensor, data);
    return tensor;
  }

  matrix(rows: Matrix): Tensor {
    return this.put('f32', rows.flat(), rows.length, rows[0].length);
  }

  vector(values: readonly number[]): Tensor {
    return this.put('f32', values);
  }

  /** Space for a result, full of nonsense. */
  out(dtype: DType, ...shape: number[]): Tensor {
    return this.put(dtype, new Float64Array(sizeOf(shape)).fill(777), ...shape);
  }

  /** Codes with the same number of entries in every row; values may be 0. */
  fixedCodes(rows: Rows, width: number): Codes {
    const codes = this.device.scratchCodes(rows.length, width, rows[0].length);
    this.device.write(
      codes.index,
      rows.flat().map(({ latent }) => latent),
    );
    this.device.write(
      codes.value,
      rows.flat().map(({ value }) => value),
    );
    return codes;
  }

  /**
   * Codes of open size with positive values, not yet resolved when this returns: input r is the r-th unit vector, so the
   * r-th coordinate of a latent is its value in row r.
   */
  openCodes(rows: Rows, width: number): Codes {
    const unit = rows.map((_, r) => rows.map((_, i) => Number(r === i)));
    const weights = Array.from({ length: width }, () => rows.map(() => -1));
    rows.forEach((row, r) => row.forEach(({ latent, value }) => (weights[latent][r] = value)));
    const [x, W] = [this.matrix(unit), this.matrix(weights)];
    const codes = this.device.scratchCodes(rows.length, width);
    this.kernels.encodeAtLeast(codes, x, W, null, 1e-6);
    return codes;
  }

  async read<D extends DType>(tensor: Tensor, dtype: D): Promise<HostArrays[D]> {
    expect(tensor.dtype).toBe(dtype);
    return this.device.read(tensor as Tensor & { dtype: D });
  }

  /** Expects the content of a float tensor within the tolerance of the device. */
  async expectClose(tensor: Tensor, expected: readonly number[]): Promise<void> {
    expectClose(await this.device.read(tensor), expected, this.#tolerance);
  }

  /** Expects codes: entries exactly, values within the tolerance. */
  async expectCodes(codes: Codes, expected: Rows): Promise<void> {
    const starts = expected.map((_, r) => expected.slice(0, r + 1).flat().length);
    expect([...(await this.read(codes.rowPtr, 'u32'))]).toEqual([0, ...starts]);
    expect([...(await this.read(codes.index, 'u32'))]).toEqual(expected.flat().map(({ latent }) => latent));
    await this.expectClose(
      codes.value,
      expected.flat().map(({ value }) => value),
    );
  }
}

/** Errors are measured against the largest expected number: a sum of large terms may end near 0. */
export function expectClose(actual: ArrayLike<number>, expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const allowed = tolerance * expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
  const wrong = expected.findIndex((value, i) => !(Math.abs(actual[i] - value) <= allowed));
  if (wrong >= 0) expect.fail(`element ${wrong}: ${actual[wrong]} instead of ${expected[wrong]} (± ${allowed})`);
}
