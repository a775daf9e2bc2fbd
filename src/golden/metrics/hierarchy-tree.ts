/** Tree SAE's hit rule, its four variants of MCS for every pair of latents, coverage and sibling co-occurrence. */
import { join } from 'node:path';
import { z } from 'zod';
import { codesFromDense } from '../../core/codes.ts';
import { mean } from '../../core/statistics.ts';
import { pairValue, type PairName } from '../../evals/hierarchy/firing-statistics.ts';
import { isHit, largestRowNorm, similarities, topLatents } from '../../evals/hierarchy/hit-rule.ts';
import { familiesOf, familiesOfLists } from '../../forest/families.ts';
import { Firings } from '../../forest/firings.ts';
import { Forest } from '../../forest/forest.ts';
import { siblingFamilies } from '../../forest/siblings.ts';
import { SafetensorsFile } from '../../formats/safetensors.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';
import { siblingOverlapOf, totalsOf } from './hierarchy-pairs.ts';

const expectedSchema = z.object({
  latents: z.number().int(),
  value_threshold: z.number(),
  pairs: z.array(z.tuple([z.number().int(), z.number().int()])),
  hit: z.array(z.boolean()),
  score_top5: z.number(),
  score_top3: z.number(),
  parent_child_similarity: z.array(z.tuple([z.number(), z.number()])),
  top5: z.array(z.array(z.number().int())),
  s_cov: z.record(z.string(), z.number()),
  sibling_iou_tree_sae: z.number(),
  mcs_children_n: z.number().int(),
  tolerance: z.number().positive(),
});

/** Their name and ours. */
const VARIANTS: Readonly<Record<string, PairName>> = {
  binary: 'mcs_binary',
  binary_scaled: 'mcs_binary_scaled',
  continuous: 'mcs',
  continuous_scaled: 'mcs_scaled',
};

export function runHierarchyTree(folder: string, report: Report): void {
  const expected = readJson(join(folder, 'expected.json'), expectedSchema);
  const file = SafetensorsFile.open(join(folder, 'inputs.safetensors'));
  try {
    compareHits(expected, file, report);
    compareFirings(expected, file, report);
  } finally {
    file.close();
  }
}

type Expected = z.output<typeof expectedSchema>;

function compareHits({ pairs, ...expected }: Expected, file: SafetensorsFile, report: Report): void {
  const near = { abs: expected.tolerance };
  const dictionary = file.readFloat32('W_dec');
  const probes = file.readFloat32('probes');
  const d = probes.length / pairs.length;
  const scale = largestRowNorm(dictionary, d);
  const similarity = pairs.map((_, i) => {
    const probe = probes.subarray(i * d, (i + 1) * d);
    const norm = Math.sqrt(probe.reduce((sum, v) => sum + v * v, 0));
    return similarities(
      dictionary,
      probe.map((v) => v / norm),
    ).map((value) => value / scale);
  });
  const all = similarity.flatMap((values) => [...values]);
  report.compare('similarities', all, file.readFloat32('similarities'), near);
  const ends = pairs.flatMap(([parent, child], i) => [similarity[i][parent], similarity[i][child]]);
  report.compare('parent_child_similarity', ends, expected.parent_child_similarity.flat(), near);
  const top = similarity.map((values) => topLatents(values));
  report.compare('top5', top.flat(), expected.top5.flat(), 'exact');
  const hits = (count: number): number[] =>
    pairs.map(([parent, child], i) => Number(isHit(topLatents(similarity[i], count), parent, child)));
  report.compare('hit', hits(5), expected.hit.map(Number), 'exact');
  report.compare('score_top5', mean(hits(5)), expected.score_top5, near);
  report.compare('score_top3', mean(hits(3)), expected.score_top3, near);
}

function compareFirings(expected: Expected, file: SafetensorsFile, report: Report): void {
  const { latents, mcs_children_n: kept } = expected;
  const near = { abs: expected.tolerance };
  const code = file.readFloat32('code').map((a) => (a > expected.value_threshold ? a : 0));
  const firings = new Firings(latents);
  firings.add(codesFromDense(code, code.length / latents, latents));
  for (const [variant, name] of Object.entries(VARIANTS)) {
    const matrix = allPairs(firings, name);
    report.compare(`mcs_${variant}`, matrix, file.readFloat32(`mcs_${variant}`), near);
    const top = Array.from({ length: latents }, (_, p) => {
      const scores = Array.from({ length: latents }, (_, c) => (c === p ? -1 : matrix[c * latents + p]));
      return scores.toSorted((a, b) => b - a).slice(0, kept);
    });
    report.compare(`mcs_top_scores_${variant}`, top.flat(), file.readFloat32(`mcs_top_scores_${variant}`), near);
  }
  const coverage = allPairs(firings, 'p_parent_given_child');
  const links = Object.entries(expected.s_cov);
  const ours = links.map(([pair]) => {
    const [parent, child] = pair.split(',').map(Number);
    return coverage[child * latents + parent];
  });
  report.compare(
    's_cov',
    ours,
    links.map(([, value]) => value),
    near,
  );
  const families = familiesOf(new Forest(file.readInt32('parent')));
  const whole = siblingFamilies(families, (child) => firings.countOf(child) > 0, true);
  report.compare('sibling_iou_tree_sae', siblingOverlapOf(firings, whole), expected.sibling_iou_tree_sae, near);
}

/** `[child, parent]`, −1 where the child never fires. Every child has one parent at a time, the latent so many places further. */
function allPairs(firings: Firings, name: PairName): number[] {
  const { width } = firings;
  const matrix = Array.from({ length: width * width }, () => -1);
  const lists = Array.from({ length: width }, (_, c) => [c]);
  for (let further = 0; further < width; further++) {
    const parent = Int32Array.from(lists, ([c]) => (c + further) % width);
    const families = familiesOfLists(parent, new Int32Array(width), lists);
    const totals = totalsOf(firings, families);
    for (let c = 0; c < width; c++) {
      const value = pairValue(name, totals, families, c);
      if (!Number.isNaN(value)) matrix[c * width + parent[c]] = value;
    }
  }
  return matrix;
}
