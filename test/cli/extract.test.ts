/** `saeforest extract` in processes of its own, on small trainings. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Forest } from '../../src/forest/forest.ts';
import { SafetensorsFile } from '../../src/formats/safetensors.ts';
import { digests, launch, makeShards, run, sets } from '../training/support.ts';

const folder = mkdtempSync(join(tmpdir(), 'saeforest-extract-'));
const at = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function train(name: string, arch: string, acts: string, ...settings: string[]): Promise<string> {
  const out = at(name);
  const flags = ['--acts', acts, '--arch', arch, '--out', out, '--tokens', '100k', ...sets('batch=200', ...settings)];
  const { code, err } = await run('train', ...flags);
  expect(code, err).toBe(0);
  return out;
}

const numbers = z.strictObject({
  edges: z.int(),
  roots_with_children: z.int(),
  latents_alone: z.int(),
  largest_family: z.int(),
  latents_by_depth: z.array(z.int()),
});

const byActivation = numbers.extend({
  file: z.string(),
  architecture: z.string(),
  width: z.int(),
  step: z.int(),
  method: z.string(),
  threshold: z.number(),
  rows: z.int(),
  min_firings: z.int(),
  max_children: z.int(),
  min_descendants: z.int().optional(),
  latents_silent: z.int(),
  latents_rare: z.int(),
  latents_hubs: z.int(),
  possible_edges: z.int(),
  dropped: z.record(z.string(), z.int()),
  acts: z.string(),
  parents: z.looseObject({ run: z.string(), width: z.int() }).optional(),
});

async function extract<T>(schema: z.ZodType<T>, ...argv: string[]): Promise<T> {
  const { code, out, err } = await launch(['extract', ...argv, '--json']);
  expect(code, err).toBe(0);
  return schema.parse(JSON.parse(out));
}

function readForest(file: string): { parent: Int32Array; level: Int32Array; score: Float32Array } {
  const opened = SafetensorsFile.open(file);
  try {
    const parent = Int32Array.from(opened.readInt32('parent'));
    return { parent, level: Int32Array.from(opened.readInt32('level')), score: opened.readFloat32('score') };
  } finally {
    opened.close();
  }
}

async function refusal(...argv: string[]): Promise<string> {
  const { code, out, err } = await launch(['extract', ...argv]);
  expect([code, out]).toEqual([2, '']);
  return err;
}

let wide: string;
let narrow: string;
let hierarchical: string;
beforeAll(async () => {
  wide = await train('wide', 'topk', 'synthetic:toy-tree', 'width=40', 'k=3', 'lr=0.01');
  narrow = await train(
    'narrow',
    'topk',
    'synthetic:toy-tree',
    'width=16',
    'k=3',
    'lr=0.01',
    'toyTree={heldOutRows: 9000}',
  );
  hierarchical = await train('h-sae', 'h-sae', 'synthetic:toy-tree', 'width=11', 'k=2');
}, 60_000);

describe('extract', () => {
  it('writes a forest and how it was made, the same each time', async () => {
    const flags = [wide, '--method', 'coverage', '--threshold', '0.4', '--rows', '8k'];
    const { file, ...document } = await extract(byActivation, ...flags);
    expect(file).toBe(join(wide, 'forest', 'coverage.safetensors'));
    expect(document).toMatchObject({ architecture: 'topk', width: 40, method: 'coverage', threshold: 0.4, rows: 8000 });
    expect(JSON.parse(readFileSync(join(wide, 'forest', 'coverage.json'), 'utf8'))).toEqual(document);
    const { parent, level, score } = readForest(file);
    const forest = new Forest(parent, level);
    expect(forest.edgeCount).toBe(document.edges);
    expect(document.edges).toBeGreaterThan(0);
    const dropped = Object.values(document.dropped).reduce((sum, count) => sum + count, 0);
    expect(document.possible_edges).toBe(document.edges + dropped);
    parent.forEach((p, c) => expect(p === -1 ? score[c] === 0 : score[c] > 0.4).toBe(true));
    expect(document.latents_by_depth.reduce((sum, count) => sum + count, 0)).toBe(40);
    const before = digests(join(wide, 'forest'));
    await extract(byActivation, ...flags);
    expect(digests(join(wide, 'forest'))).toEqual(before);
  });

  it('prints the largest families', async () => {
    const out = at('elsewhere/toy.safetensors');
    const flags = ['--method', 'masked-cosine', '--threshold', '0.3', '--rows', '8k', '--out', out];
    const { code, out: printed } = await launch(['extract', wide, ...flags]);
    expect(code).toBe(0);
    expect(printed).toMatch(/^\d+ {2}\d+\.\d\d %\n[├└]─ \d+ {2}0\.\d\d {2}\d+\.\d\d %$/m);
    expect(printed).toMatch(/^\d+ edges in \d+ families, the largest of \d+ latents; \d+ latents alone; by depth /m);
    expect(printed).toContain('  dropped: uphill ');
    expect(existsSync(at('elsewhere/toy.json'))).toBe(true);
  });

  it('goes without tokens where the language model is gone', async () => {
    const acts = makeShards(at('acts'));
    const out = await train('text', 'topk', acts, 'width=12', 'k=3', 'heldOut=0.3');
    const { code, err } = await launch(['extract', out, '--threshold', '0.3', '--min-descendants', '3']);
    expect(code, err).toBe(0);
    expect(err).toContain('without tokens: the language model is not at models/tiny any more');
  });

  it('says where an architecture has its own forest, and extracts another on request', async () => {
    const own = await extract(
      numbers.extend({ architecture: z.literal('h-sae'), own_forest: z.literal(true), file: z.string() }),
      hierarchical,
    );
    expect(own.edges).toBe(11 * 16);
    expect(readFileSync(own.file).length).toBeGreaterThan(0);
    expect(existsSync(join(hierarchical, 'forest'))).toBe(false);
    const { code, err } = await launch(['extract', hierarchical, '--method', 'coverage', '--rows', '2k']);
    expect(code).toBe(0);
    expect(err).toContain('h-sae has a forest of its own; this is another one');
    expect(existsSync(join(hierarchical, 'forest', 'coverage.safetensors'))).toBe(true);
  });
});

describe('parents in another SAE', () => {
  it.each(['encoder-cosine', 'decoder-cosine'])('by %s', async (method) => {
    const schema = numbers.extend({
      file: z.string(),
      architecture: z.string(),
      width: z.literal(40),
      step: z.int(),
      method: z.literal(method),
      unassigned: z.literal(0.25),
      parents: z.strictObject({
        run: z.literal(narrow),
        architecture: z.literal('topk'),
        width: z.literal(16),
        step: z.int(),
      }),
    });
    const { file, edges } = await extract(
      schema,
      wide,
      '--parents',
      narrow,
      '--method',
      method,
      '--unassigned',
      '0.25',
    );
    expect(file).toBe(join(wide, 'forest', `${method}-in-narrow.safetensors`));
    const { parent, level, score } = readForest(file);
    expect(edges).toBeLessThanOrEqual(30);
    expect(edges).toBe(parent.filter((p) => p !== -1).length);
    expect(parent.every((p) => p < 16)).toBe(true);
    expect(level.every((l) => l === 1)).toBe(true);
    parent.forEach((p, c) => expect(score[c] > 0).toBe(p !== -1));
  });

  it('by what both do with the same activations', async () => {
    const flags = ['--parents', narrow, '--method', 'coverage', '--threshold', '0.3', '--rows', '5k'];
    const { parents, edges, file, rows } = await extract(byActivation, wide, ...flags);
    expect([parents!.width, rows]).toEqual([16, 5000]);
    expect(edges).toBeGreaterThan(0);
    expect(readForest(file).parent.filter((p) => p !== -1).length).toBe(edges);
  });

  it('warns of equal seeds, and refuses what does not fit', async () => {
    const { err } = await launch(['extract', wide, '--parents', narrow]);
    expect(err).toContain('trained with the same seed');
    expect(await refusal(narrow, '--parents', wide)).toContain('SAE has 40 latents, not fewer than the 16');
    const other = await train('other-d', 'topk', 'synthetic:toy-tree', 'width=8', 'k=2', 'toyTree={d: 24}');
    expect(await refusal(wide, '--parents', other)).toMatch(/is an SAE of d 24, .* of d 20/);
    expect(await refusal(hierarchical, '--parents', narrow)).toContain(
      'h-sae has no encoder row W_enc for every latent',
    );
  });
});

describe('bad usage', () => {
  it.each([
    [['--method', 'masked-cosin'], 'unknown method "masked-cosin"; did you mean "masked-cosine"?'],
    [['--method', 'encoder-cosine'], 'add --parents RUN'],
    [['--unassigned', '0.2'], '--unassigned is not for weighted-coverage'],
    [['--threshold', '1.5'], 'threshold: '],
    [['--rows', '0'], 'rows: '],
    [['--min-descendants', '2', '--parents', 'x'], '--min-descendants is for forests within one SAE'],
    [['--method', 'decoder-cosine', '--parents', 'x', '--threshold', '0.5'], '--threshold is not for decoder-cosine'],
    [['--treshold', '0.5'], 'did you mean "--threshold"?'],
  ])('%j', async (flags, message) => {
    expect(await refusal(wide, ...flags)).toContain(message);
  });

  it('is no run, or one without a checkpoint', async () => {
    expect(await refusal(folder)).toContain('not a run folder');
    rmSync(join(narrow, 'latest'));
    expect(await refusal(wide, '--parents', narrow)).toContain('the run holds no checkpoint yet');
    expect(await refusal()).toContain('run: is required');
  });
});
