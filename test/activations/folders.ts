/** Small shard folders for tests: row i of document k holds values that tell i and k. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../src/core/random.ts';
import type { HarvestIdentity, Manifest } from '../../src/activations/manifest.ts';
import { ShardWriter, type ActivationBatch } from '../../src/activations/shard-writer.ts';

export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'acts-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export function identity(changes: Partial<HarvestIdentity> = {}): HarvestIdentity {
  return {
    model: { path: 'models/tiny', hash: 'abc', architecture: 'LlamaForCausalLM' },
    layer: 2,
    tensor: '/model/layers.2/Add_1_output_0',
    hook: 'resid_post',
    d: 6,
    dtype: 'F16',
    context: 16,
    packed: false,
    specials: { dropped: [1], bos: 1 },
    text: {
      kind: 'files',
      files: [{ name: 'a.txt', bytes: 100, sha256: '0'.repeat(64) }],
      separator: '---',
      documents: 40,
    },
    tokenizer: '1'.repeat(64),
    seed: 3,
    rowsPerShard: 100,
    ...changes,
  };
}

/** Lengths of the documents, 1 … 30 rows. */
export function documentLengths(count: number, seed = 1): number[] {
  const random = new Random(seed, 'lengths');
  return Array.from({ length: count }, () => 1 + random.below(30));
}

/** One document as a batch; element 0 is its first row's number in the folder + i, exact in F16 up to 2048. */
export function documentBatch(doc: number, rows: number, firstRow: number, d: number): ActivationBatch {
  const random = new Random(9, 'doc', doc);
  const acts = Float32Array.from({ length: rows * d }, () => random.normal());
  const ramp = Int32Array.from({ length: rows }, (_, i) => i);
  for (let i = 0; i < rows; i++) acts[i * d] = firstRow + i;
  return { rows, acts, tokens: ramp.map((i) => firstRow + i), pos: ramp, doc: ramp.map(() => doc), sequences: 1 };
}

/** Harvests documents, from where the folder stands up to document `until`; finishes after the last one. */
export function harvest(
  path: string,
  which: HarvestIdentity,
  lengths: readonly number[],
  until = Infinity,
): ShardWriter {
  const writer = ShardWriter.open(path, which);
  try {
    const first = writer.progress === null ? 0 : (writer.progress as { nextDocument: number }).nextDocument;
    for (let doc = first; doc < Math.min(until, lengths.length); doc++) {
      writer.append(documentBatch(doc, lengths[doc], writer.rows, which.d), { nextDocument: doc + 1 });
    }
    if (until >= lengths.length) writer.finish();
  } finally {
    writer.close();
  }
  return writer;
}

/** Every file of a folder with its bytes. */
export function contents(path: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(path)
      .sort()
      .map((name) => [name, readFileSync(join(path, name)).toString('base64')]),
  );
}

export const manifestOf = (path: string): Manifest =>
  JSON.parse(readFileSync(join(path, 'manifest.json'), 'utf8')) as Manifest;
