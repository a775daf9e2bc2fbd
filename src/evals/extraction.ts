/** The forest of a trained SAE, or the parents that its latents have in a narrower one: measured, summed up, written down. */
import { InputError } from '../core/errors.ts';
import { writeFileAtomic } from '../core/files.ts';
import type { ActivationSource } from '../activations/source.ts';
import type { Device } from '../engine/device.ts';
import { nearestRows } from '../engine/nearest-rows.ts';
import { assignParents } from '../forest/assignment.ts';
import { extractForest, extractParents, type ExtractionOptions, type Method } from '../forest/extract.ts';
import type { Firings } from '../forest/firings.ts';
import { Forest } from '../forest/forest.ts';
import { writeSafetensors } from '../formats/safetensors-writer.ts';
import type { OpenRun } from '../training/runs.ts';
import { dictionaryOf, encoderOf, sampleFirings } from './sample-firings.ts';

/** Assignments to the latents of another SAE by direction alone. */
export const NEAREST_METHODS = ['encoder-cosine', 'decoder-cosine'] as const;
export type NearestMethod = (typeof NEAREST_METHODS)[number];

/** Rows that go through an SAE at once. */
const BATCH_ROWS = 2048;

export interface ExtractedParents {
  /** `[width]` parent of each latent, −1 for none; in the numbers of the other SAE where there is one. */
  readonly parent: Int32Array;
  /** `[width]` score of the link, NaN without one. */
  readonly score: Float64Array;
  /** Method, thresholds and what the filters dropped, in JSON. */
  readonly how: Readonly<Record<string, unknown>>;
  /** What each latent and each of its possible parents did, where activations were looked at. */
  readonly sample: { children: Firings; parents: Firings; tokens: Int32Array | undefined } | undefined;
}

/** @throws InputError unless `parents` is a narrower SAE on activations of the same dimension */
export function checkParents(run: OpenRun, parents: OpenRun): void {
  if (parents.sae.d !== run.sae.d) {
    throw new InputError(`${parents.folder} is an SAE of d ${parents.sae.d}, ${run.folder} of d ${run.sae.d}`, {
      hint: 'both have to be trained on the same activations',
    });
  }
  if (parents.sae.width >= run.sae.width) {
    throw new InputError(
      `the parents' SAE has ${parents.sae.width} latents, not fewer than the ${run.sae.width} of the children's`,
      {
        where: parents.folder,
        hint: 'give the narrower SAE as --parents',
      },
    );
  }
}

/**
 * @param source of raw activations
 * @param parents another SAE whose latents are the parents
 */
export async function extractByActivation(
  device: Device,
  run: OpenRun,
  parents: OpenRun | undefined,
  source: ActivationSource,
  options: ExtractionOptions & { rows: number },
  onProgress: (done: number, total: number) => void,
): Promise<ExtractedParents> {
  const runs = parents ? [run, parents] : [run];
  const sample = await sampleFirings(device, runs, source, options.rows, BATCH_ROWS, onProgress);
  const [children, above = children] = sample.firings;
  const directions = options.method === 'cosine-coverage' ? await decoders(device, run, parents) : undefined;
  const { parent, score, hubs, silent, rare, ...found } = parents
    ? extractParents(children, above, options, directions)
    : extractForest(children, options, directions);
  const { method, threshold, minFirings, maxChildren, possibleEdges, dropped } = found;
  return {
    parent,
    score,
    how: {
      method,
      threshold,
      rows: sample.rows,
      min_firings: minFirings,
      max_children: maxChildren,
      ...(!parents && { min_descendants: options.minDescendants ?? 1 }),
      latents_silent: silent,
      latents_rare: rare,
      latents_hubs: hubs.length,
      possible_edges: possibleEdges,
      dropped: {
        uphill: dropped.uphill,
        transitive: dropped.transitive,
        hubs: dropped.hubs,
        other_parents: dropped.otherParents,
        small_families: dropped.smallFamilies,
      },
    },
    sample: { children, parents: above, tokens: sample.tokens },
  };
}

async function decoders(
  device: Device,
  run: OpenRun,
  parents: OpenRun | undefined,
): Promise<{ d: number; children: Float32Array; parents: Float32Array }> {
  const children = await dictionaryOf(device, run);
  return { d: run.sae.d, children, parents: parents ? await dictionaryOf(device, parents) : children };
}

/**
 * HSAE's baseline of independent SAEs that are linked after training (methods 2.3, 2.5).
 * @param unassigned share of the latents that stay without a parent
 */
export async function extractByDirection(
  device: Device,
  run: OpenRun,
  parents: OpenRun,
  method: NearestMethod,
  unassigned: number,
): Promise<ExtractedParents> {
  const directionsOf = method === 'encoder-cosine' ? encoderOf : dictionaryOf;
  const [rows, candidates] = [await directionsOf(device, run), await directionsOf(device, parents)];
  device.beginStep();
  const nearest = await nearestRows(device, rows, candidates, run.sae.d);
  const parent = assignParents(nearest, unassigned);
  const score = Float64Array.from(parent, (p, c) => (p === -1 ? NaN : nearest.similarity[c]));
  return { parent, score, how: { method, unassigned }, sample: undefined };
}

/**
 * One forest over the latents that are parents and the children. Within one SAE these are the same; otherwise the parents' SAE
 * comes first, and child c is node `parentWidth + c`.
 */
export function forestOf({ parent }: Pick<ExtractedParents, 'parent'>, parentWidth: number | undefined): Forest {
  if (parentWidth === undefined) return new Forest(parent);
  const links = new Int32Array(parentWidth + parent.length).fill(-1);
  links.set(parent, parentWidth);
  return new Forest(links);
}

export interface ForestNumbers {
  readonly edges: number;
  readonly roots_with_children: number;
  readonly latents_alone: number;
  /** Latents in the largest tree. */
  readonly largest_family: number;
  readonly latents_by_depth: readonly number[];
}

export function describeForest(forest: Forest): ForestNumbers {
  const sizes = forest.subtreeSizes();
  const trees = forest.roots.filter((root) => sizes[root] > 1);
  const latents_by_depth: number[] = [];
  for (const depth of forest.depth) latents_by_depth[depth] = (latents_by_depth[depth] ?? 0) + 1;
  return {
    edges: forest.edgeCount,
    roots_with_children: trees.length,
    latents_alone: forest.roots.length - trees.length,
    largest_family: trees.reduce((most, root) => Math.max(most, sizes[root]), 0),
    latents_by_depth,
  };
}

/**
 * `file`: parent I32 [F] (−1 = none), level I32 [F], score F32 [F] (0 without a parent). Beside it, with the ending `.json`, how it was made.
 * Where the parents are in another SAE, which is level 0, all latents are on level 1.
 * @param forest of {@link forestOf}: its last F nodes are the latents
 */
export function writeForest(
  file: string,
  { parent, score }: ExtractedParents,
  forest: Forest,
  document: unknown,
): void {
  const shape = [parent.length];
  const inAnother = forest.size > parent.length;
  const level = inAnother ? new Int32Array(parent.length).fill(1) : forest.level;
  writeSafetensors(file, {
    parent: { dtype: 'I32', shape, data: parent },
    level: { dtype: 'I32', shape, data: level },
    score: { dtype: 'F32', shape, data: Float32Array.from(score, (value) => (Number.isNaN(value) ? 0 : value)) },
  });
  writeFileAtomic(`${file.replace(/\.safetensors$/, '')}.json`, `${JSON.stringify(document, null, 1)}\n`);
}

/** Whether a name is a method that compares directions. */
export const isNearest = (method: Method | NearestMethod): method is NearestMethod =>
  (NEAREST_METHODS as readonly string[]).includes(method);
