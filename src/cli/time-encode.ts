/**
 * Measures what encoding a tree costs. The trees are regular and random: level after level, every latent has as many children as
 * the others, inputs neither centred nor standardised. Beside each stands the flat encoder that its cost model promises: roots + the children of active latents.
 */
import { Random } from '../core/random.ts';
import { unknownName } from '../core/config.ts';
import { ConfigError } from '../core/errors.ts';
import { normalize } from '../activations/normalization.ts';
import { CpuDevice } from '../engine/cpu/device.ts';
import type { Tensor } from '../engine/device.ts';
import { encodeTree } from '../engine/ops/encode-tree.ts';
import { encodeTop, RELU, type Encoder } from '../engine/ops/encode.ts';
import { Tape } from '../engine/tape.ts';
import { median, peakRss } from '../evals/cost/timing.ts';
import { hSae } from '../sae/h-sae.ts';
import { TreeLayers } from '../sae/parts/tree-layers.ts';
import { treeSae } from '../sae/tree-sae.ts';

export interface EncodeShape {
  arch: string;
  roots: number;
  branching: number;
  depths: readonly number[];
  d: number;
  k: number;
  batch: number;
  repeat: number;
  threads?: number | undefined;
}

export interface EncodeRow {
  depth: number;
  /** Latents of all levels. */
  width: number;
  /** Active latents per level. */
  k: number[];
  encode_ms: number;
  /** Latents and time of the flat encoder of the cost model. */
  model_width: number;
  model_ms: number;
  /** encode / model */
  ratio: number;
  /** Peak memory of the process when this depth had run; depths run from the smallest to the largest. */
  peak_rss_mb: number;
}

export interface EncodeTiming {
  rows: EncodeRow[];
  threads: number;
  device: string;
}

/** A tree of one depth, on the device. */
interface Subject {
  width: number;
  k: number[];
  encode(tape: Tape, x: Tensor): void;
}

/** Active latents per level as published, of 32: models with two and with four layers; three levels share the last two. */
const PUBLISHED_SHARES: readonly (readonly number[])[] = [[32], [26, 6], [21, 5, 6], [21, 5, 4, 2]];

/** Weights that the host draws at a time. */
const CHUNK = 1 << 20;

const subjects: Readonly<Record<string, (device: CpuDevice, shape: EncodeShape, depth: number) => Subject>> = {
  [treeSae.name]: tree,
  [hSae.name]: experts,
};

export async function timeEncode(shape: EncodeShape): Promise<EncodeTiming> {
  const { arch, roots, branching, d, k, batch, repeat, threads } = shape;
  const subjectOf = subjects[arch];
  if (!subjectOf)
    throw new ConfigError(unknownName('tree', arch, Object.keys(subjects)), { where: 'bench encode --arch' });
  const depths = [...new Set(shape.depths)].sort((a, b) => a - b);
  const device = await CpuDevice.create(threads === undefined ? {} : { threads });
  try {
    const x = device.persistent('f32', batch, d);
    const rows = new Map<number, { row: EncodeRow; runs: { encode(): void; model(): void } }>();
    for (const depth of depths) {
      const subject = subjectOf(device, shape, depth);
      const opened = subject.k.slice(0, -1).reduce((sum, active) => sum + active * branching, 0);
      const flat: Encoder = { W: weights(device, roots + opened, d), bias: null, center: null, floor: RELU };
      const runs = {
        encode: () => subject.encode(new Tape(device), x),
        model: () => void encodeTop(new Tape(device), x, flat, Math.min(k, roots + opened)),
      };
      await run(device, x, runs.encode);
      const peak_rss_mb = Math.round(peakRss());
      const sizes = { depth, width: subject.width, k: subject.k, model_width: roots + opened };
      rows.set(depth, { row: { ...sizes, encode_ms: 0, model_ms: 0, ratio: 0, peak_rss_mb }, runs });
    }
    for (const { row, runs } of rows.values()) await run(device, x, runs.model, row.depth);
    const times = depths.map(() => ({ encode: [] as number[], model: [] as number[] }));
    for (let round = 0; round < repeat; round++) {
      for (const [i, depth] of depths.entries()) {
        const { runs } = rows.get(depth)!;
        times[i].encode.push(await run(device, x, runs.encode, round));
        times[i].model.push(await run(device, x, runs.model, round));
      }
    }
    for (const [i, depth] of depths.entries()) {
      const { row } = rows.get(depth)!;
      row.encode_ms = median(times[i].encode);
      row.model_ms = median(times[i].model);
      row.ratio = row.encode_ms / row.model_ms;
    }
    const { threads: used, product } = device.info;
    return { rows: shape.depths.map((depth) => rows.get(depth)!.row), threads: used, device: product };
  } finally {
    await device.close();
  }
}

/** Levels one after the other, the children of a latent side by side. */
function tree(device: CpuDevice, { roots, branching, k, d }: EncodeShape, depth: number): Subject {
  const sizes = Array.from({ length: depth }, (_, l) => roots * branching ** l);
  const width = sizes.reduce((sum, size) => sum + size, 0);
  const active = shareOut(k, depth);
  const excess = active.findIndex((n, l) => n > sizes[l]);
  if (excess >= 0)
    throw new ConfigError(`k: ${active[excess]} active latents on level ${excess} of ${sizes[excess]}`, {
      where: 'bench encode',
      hint: 'fewer active latents, or more roots',
    });
  const encoder: Encoder = { W: weights(device, width, d), bias: null, center: null, floor: RELU };
  const links = new TreeLayers(device, sizes, active);
  // Level l starts behind the levels before it; the first latent of level 1 is the first child of latent 0.
  links.connect(Int32Array.from({ length: width }, (_, i) => (i < roots ? -1 : Math.floor((i - roots) / branching))));
  const { layers } = links;
  return {
    width,
    k: active,
    encode: (tape, x) => void encodeTree(tape, x, encoder, layers, 0),
  };
}

/** H-SAE: its sub-latents are the second level, one active per active top latent. */
function experts(device: CpuDevice, { roots, branching, k, d, batch }: EncodeShape, depth: number): Subject {
  if (depth !== 2)
    throw new ConfigError(`depths: h-sae has two levels, not ${depth}`, {
      where: 'bench encode',
      hint: '--depths 2, or --arch tree-sae',
    });
  const config = hSae.schema.parse({ width: roots, atoms: branching, k });
  const problem = hSae.check?.(config);
  if (problem) throw new ConfigError(problem, { where: 'bench encode' });
  const sae = hSae.build(config, { device, d, seed: 0, batch, steps: 1 });
  return { width: sae.width, k: [k, k], encode: (tape, x) => void sae.encode(tape, x) };
}

/** k over the levels in the published shares: rounded down, at least 1, the rest to the roots. */
export function shareOut(k: number, depth: number): number[] {
  const shares = PUBLISHED_SHARES[depth - 1];
  if (!shares || k < depth)
    throw new ConfigError(`depths: ${depth} levels with k = ${k}; published are at most 4, with a latent on each`, {
      where: 'bench encode',
      hint: '--depths 2,4 --k 32',
    });
  const active = shares.map((share) => Math.max(1, Math.floor((k * share) / 32)));
  active[0] = k - active.slice(1).reduce((sum, n) => sum + n, 0);
  return active;
}

/** Random rows, drawn and written piece by piece: the host never holds them all. */
function weights(device: CpuDevice, rows: number, d: number): Tensor {
  const tensor = device.persistent('f32', rows, d);
  const random = new Random(0, 'bench encode', rows);
  for (let from = 0; from < rows * d; from += CHUNK) {
    const length = Math.min(CHUNK, rows * d - from);
    const chunk = Float32Array.from({ length }, () => random.uint32() * 2 ** -31 - 1);
    device.write(tensor, chunk, from);
  }
  return tensor;
}

/** Encodes a fresh batch; milliseconds without the drawing. */
async function run(device: CpuDevice, x: Tensor, encode: () => void, round = 0): Promise<number> {
  const random = new Random(1, 'bench encode', round);
  const [rows, d] = x.shape;
  device.beginStep();
  const batch = Float32Array.from({ length: rows * d }, () => random.normal());
  normalize({ kind: 'unit' }, batch, d);
  device.write(x, batch);
  const from = performance.now();
  encode();
  await device.flush();
  return performance.now() - from;
}
