/** Directions of the features, and the bias. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder, cacheKey } from '../../core/cache.ts';
import { SaeforestError } from '../../core/errors.ts';
import { makeFolder } from '../../core/files.ts';
import { Random } from '../../core/random.ts';
import { normalizeRows } from '../../core/rows.ts';
import { SafetensorsFile, writeSafetensors } from '../../formats/safetensors.ts';
import type { SynthBenchConfig } from './config.ts';
import { orthogonalize, workOf } from './orthogonalize.ts';
import type { RowKernels } from './row-kernels.ts';

export interface Directions {
  /** `[features, d]`, unit norms. */
  readonly directions: Float32Array;
  /** `[d]` */
  readonly bias: Float32Array;
}

/** Multiplications that take about half a second: what takes longer is kept, and announced. */
const MUCH_WORK = 5e9;
/** Part of every key: another one for other directions from the same values. */
const CONSTRUCTION = 1;
/** Steps after which the time for all of them can be told. */
const FIRST_STEPS = 3;

/**
 * Gaussian directions of unit norm, driven apart, and a Gaussian bias of its norm.
 * @param note told when it will take a while
 */
export async function drawDirections(
  seed: number,
  config: SynthBenchConfig,
  kernels: RowKernels,
  note: (line: string) => void,
): Promise<Directions> {
  const { features, d, orthogonalizeSteps: steps, orthogonalizeRate: rate } = config;
  const directions = kernels.f32(features * d);
  const bias = kernels.f32(d);
  fillGaussian(bias, new Random(seed, 'synth-bench', 'bias'));
  normalizeRows(bias, d);
  for (let k = 0; k < d; k++) bias[k] *= config.biasNorm;

  const isMuch = workOf(features, d, steps) > MUCH_WORK;
  const path = join(
    cacheFolder(),
    'synth-bench',
    `${cacheKey([CONSTRUCTION, seed, features, d, steps, rate])}.safetensors`,
  );
  if (isMuch && readKept(path, directions)) return { directions, bias };
  fillGaussian(directions, new Random(seed, 'synth-bench', 'directions'));
  normalizeRows(directions, d);
  if (steps === 0) return { directions, bias };
  const began = performance.now();
  const onStep = (done: number): void => {
    if (!isMuch || done !== FIRST_STEPS) return;
    const seconds = Math.ceil(((performance.now() - began) / 1000 / FIRST_STEPS) * steps);
    note(`synthetic:bench-16k: driving ${features} directions apart takes about ${seconds} s, once: kept in ${path}`);
  };
  await orthogonalize(directions, d, { steps, rate, onStep });
  if (isMuch) keep(path, directions, [features, d]);
  return { directions, bias };
}

function fillGaussian(values: Float32Array, random: Random): void {
  for (let i = 0; i < values.length; i++) values[i] = random.normal();
}

/** @returns false if there is no such file or it is damaged */
function readKept(path: string, directions: Float32Array): boolean {
  if (!existsSync(path)) return false;
  try {
    const file = SafetensorsFile.open(path);
    try {
      const kept = file.readFloat32('directions');
      if (kept.length !== directions.length || file.metadata.get('sha256') !== hashOf(kept)) return false;
      directions.set(kept);
      return true;
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof SaeforestError) return false;
    throw error;
  }
}

/** Where it cannot be written, it is made again the next time. */
function keep(path: string, directions: Float32Array, shape: readonly number[]): void {
  // Hashing and writing refuse shared memory.
  const data = Float32Array.from(directions);
  try {
    makeFolder(dirname(path));
    writeSafetensors(path, { directions: { dtype: 'F32', shape, data } }, { sha256: hashOf(data) });
  } catch (error) {
    if (!(error instanceof SaeforestError)) throw error;
  }
}

function hashOf(values: Float32Array): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return createHash('sha256').update(bytes).digest('hex');
}
