/** Recovered forests against true ones: links, ancestors, kinds of error, depths. */
import { join } from 'node:path';
import { z } from 'zod';
import { Forest } from '../../forest/forest.ts';
import { forestRecovery, type LinkScore } from '../../forest/recovery.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const nodes = z.array(z.number().int());
const scoreSchema = z.object({
  predicted: z.number(),
  predicted_correct: z.number(),
  true: z.number(),
  true_recovered: z.number(),
  precision: z.number(),
  recall: z.number(),
  f1: z.number(),
});
const expectedSchema = z.object({
  scenarios: z.array(
    z.object({
      name: z.string(),
      true_parent: nodes,
      predicted_parent: nodes,
      match: nodes,
      expected: z.object({
        edge: scoreSchema,
        edge_matched_only: scoreSchema,
        ancestor: scoreSchema,
        ancestor_matched_only: scoreSchema,
        error_kinds_of_matched_wrong_edges: z.object({
          reversed: z.number(),
          skips_a_level: z.number(),
          siblings: z.number(),
          other: z.number(),
        }),
        depth_mean_abs_error: z.number(),
        root_accuracy: z.number(),
      }),
    }),
  ),
  tolerance: z.number().positive(),
});

export function runTreeRecovery(folder: string, report: Report): void {
  const { scenarios, tolerance } = readJson(join(folder, 'expected.json'), expectedSchema);
  for (const { name, true_parent, predicted_parent, match, expected } of scenarios) {
    const found = forestRecovery(new Forest(true_parent), new Forest(predicted_parent), Int32Array.from(match));
    const compare = (what: string, actual: number[], stored: number[]): void =>
      report.compare(`${name}: ${what}`, actual, stored, { abs: tolerance });
    compare('edge', numbersOf(found.edge), Object.values(expected.edge));
    compare('edge, matched only', numbersOf(found.edgeMatchedOnly), Object.values(expected.edge_matched_only));
    compare('ancestor', numbersOf(found.ancestor), Object.values(expected.ancestor));
    compare(
      'ancestor, matched only',
      numbersOf(found.ancestorMatchedOnly),
      Object.values(expected.ancestor_matched_only),
    );
    const { reversed, skipsLevel, siblings, other } = found.wrongEdges;
    const kinds = expected.error_kinds_of_matched_wrong_edges;
    compare('kinds of error', [reversed, skipsLevel, siblings, other], Object.values(kinds));
    compare(
      'depth error, root accuracy',
      [found.depthError, found.rootAccuracy],
      [expected.depth_mean_abs_error, expected.root_accuracy],
    );
  }
}

/** In the order of the schema, in which it also puts the keys. */
function numbersOf(score: LinkScore): number[] {
  const { predicted, predictedCorrect, trueRecovered, precision, recall, f1 } = score;
  return [predicted, predictedCorrect, score.true, trueRecovered, precision, recall, f1];
}
