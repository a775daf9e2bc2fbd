/** `manifest.json` of a shard folder: what was harvested and how, which shards are complete, and how to go on. */
import { join } from 'node:path';
import { z } from 'zod';
import { parseInput } from '../core/config.ts';
import { InputError } from '../core/errors.ts';
import { readJsonFile, writeFileAtomic } from '../core/files.ts';
import type { Json } from './source.ts';

export const MANIFEST_FILE = 'manifest.json';
export const FORMAT = 'saeforest-activations';
export const VERSION = 2;

const count = z.number().int().min(0);
const positive = z.number().int().positive();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in lower-case hex');

/** What text was read; equal identities mean equal texts. */
const textIdentitySchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('files'),
    files: z.array(z.strictObject({ name: z.string(), bytes: count, sha256 })),
    /** Line between two documents of a plain text file. */
    separator: z.string(),
    documents: count,
  }),
  z.strictObject({
    kind: z.literal('generated'),
    /** Of the generator. */
    name: z.string(),
    split: z.string(),
    seed: z.number().int(),
    /** Of all that decides the texts. */
    hash: z.string().min(1),
  }),
]);
export type TextIdentity = z.infer<typeof textIdentitySchema>;

/** All that decides the bytes of a folder. Two harvests with equal identities write equal folders. */
export const harvestIdentitySchema = z.strictObject({
  model: z.strictObject({ path: z.string(), hash: z.string().min(1), architecture: z.string() }),
  /** Block, counted from 0. */
  layer: count,
  /** Name in the model's graph. */
  tensor: z.string(),
  /** Place in the block, by TransformerLens's name: `resid_post` is the residual stream after it. */
  hook: z.string().regex(/^[a-z_]+$/),
  /** Width of an activation. */
  d: positive,
  dtype: z.enum(['F32', 'F16', 'BF16']),
  /** Tokens per sequence, at most. */
  context: positive,
  /** Documents were joined into full contexts: a sequence holds parts of several, and `pos` counts from its beginning. */
  packed: z.boolean(),
  specials: z.strictObject({
    /** Tokens whose rows are not stored. */
    dropped: z.array(count),
    /** Token that begins every sequence and every document, null if there is none: with it sequences can be rebuilt. */
    bos: count.nullable(),
  }),
  text: textIdentitySchema,
  /** Of tokenizer.json and tokenizer_config.json. */
  tokenizer: sha256,
  /** Of the order in which documents were read. */
  seed: z.number().int(),
  /** A shard is closed by the batch that fills it up to this many rows. */
  rowsPerShard: positive,
  /** Rows asked for: the harvest ends with the document that reaches them, or with the texts. */
  rowsWanted: positive.optional(),
});
export type HarvestIdentity = z.infer<typeof harvestIdentitySchema>;

const shardSchema = z.strictObject({
  file: z.string().regex(/^acts-\d{5,}\.safetensors$/, 'expected acts-00000.safetensors, acts-00001.safetensors, …'),
  rows: positive,
  sha256,
  firstDoc: count,
  lastDoc: count,
});
export type ShardEntry = z.infer<typeof shardSchema>;

/** Over all rows, from the values as stored, in float64. */
const statisticsSchema = z.strictObject({
  mean: z.array(z.number()),
  meanNorm: z.number().min(0),
  meanSquaredNorm: z.number().min(0),
  /** Exact running sums (JSON keeps doubles): an interrupted harvest adds to them, means would be off by a rounding. */
  sums: z.strictObject({ x: z.array(z.number()), norm: z.number().min(0), squaredNorm: z.number().min(0) }),
});
export type Statistics = z.infer<typeof statisticsSchema>;

export const manifestSchema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION, `this version reads manifests of version ${VERSION}`),
  identity: harvestIdentitySchema,
  complete: z.boolean(),
  /** `documents`: those with at least one stored row. */
  counts: z.strictObject({ rows: count, documents: count, sequences: count }),
  statistics: statisticsSchema,
  shards: z.array(shardSchema),
  /** Where the harvester stood when the last shard was closed; its own business. */
  progress: z.json(),
});
export type Manifest = Omit<z.infer<typeof manifestSchema>, 'progress'> & { progress: Json };

const HINT = 'harvest into a new folder, or restore the folder from where it was copied';

/** @throws InputError if it is missing, not a manifest, or contradicts itself */
export function readManifest(folder: string): Manifest {
  const path = join(folder, MANIFEST_FILE);
  const manifest = parseInput(manifestSchema, readJsonFile(path, 'the manifest of an activation folder'), path, HINT);
  const refuse = (message: string): never => {
    throw new InputError(`the manifest contradicts itself: ${message}`, { where: path, hint: HINT });
  };
  const { identity, counts, shards, statistics } = manifest;
  const rows = shards.reduce((sum, shard) => sum + shard.rows, 0);
  if (rows !== counts.rows) refuse(`its shards hold ${rows} rows, counts.rows is ${counts.rows}`);
  for (const [i, { file, firstDoc, lastDoc }] of shards.entries()) {
    if (file !== shardName(i)) refuse(`shard ${i} is called ${file}`);
    if (firstDoc > lastDoc || (i > 0 && firstDoc < shards[i - 1].lastDoc)) refuse(`documents of ${file} go backwards`);
  }
  if (statistics.mean.length !== identity.d || statistics.sums.x.length !== identity.d) {
    refuse(`statistics of ${statistics.mean.length} elements for activations of ${identity.d}`);
  }
  return manifest;
}

/** @throws OutputError */
export function writeManifest(folder: string, manifest: Manifest): void {
  writeFileAtomic(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 1)}\n`);
}

/** `acts-00000.safetensors` */
export function shardName(index: number): string {
  return `acts-${String(index).padStart(5, '0')}.safetensors`;
}

/**
 * What differs between two identities, one line each, e.g. `layer: 2 in the folder, 3 asked for`.
 * The model's path is not compared: its hash says whether it is the same model.
 */
export function identityDifferences(stored: HarvestIdentity, wanted: HarvestIdentity): string[] {
  const lines: string[] = [];
  const compare = (a: unknown, b: unknown, path: string): void => {
    if (path === 'model.path') return;
    if (isRecord(a) && isRecord(b)) {
      for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
        compare(a[key], b[key], path ? `${path}.${key}` : key);
      }
    } else if (JSON.stringify(a) !== JSON.stringify(b)) {
      lines.push(`${path}: ${JSON.stringify(a)} in the folder, ${JSON.stringify(b)} asked for`);
    }
  };
  compare(stored, wanted, '');
  return lines;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
