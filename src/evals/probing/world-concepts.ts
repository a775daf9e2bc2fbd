/** The concepts of the embedded world, at the tokens that name them: labels that need no files. */
import { Random } from '../../core/random.ts';
import { siteName, type Hook } from '../../lm/site.ts';
import type { World, WorldDocument } from '../../world/world.ts';
import type { HarvestedModel } from '../context.ts';
import { foldsOfLeaves } from '../world-card/probe-trials.ts';
import { wordActivations } from '../world-card/word-activations.ts';
import type { DataSet } from './data-set.ts';

/** Documents from which words are taken. */
const DOCUMENTS = { train: 1500, test: 1000 };
/** Occurrences of a word at most. */
const OCCURRENCES = 20;
/** A kind has as many leaves at least, a third of which are tested on. */
const LEAVES = 6;

/**
 * Two tasks: kinds, that is concepts with others below them, at words that no probe was trained on; and the words of single leaves. Test
 * sentences never occur in training text. Words with several meanings are left out.
 */
export async function worldDataSet(
  { model, layer, hook }: HarvestedModel,
  world: World,
  seed: number,
): Promise<DataSet> {
  const { taxonomy, lexicon } = world;
  const site = { layer, hook: hook as Hook };
  const isClear = ({ tokens, concepts }: WorldDocument, position: number): boolean =>
    lexicon.meanings(tokens[position]).length === 1 && taxonomy.isLeaf(concepts[position]);
  const read = (split: 'train' | 'held-out', count: number) =>
    wordActivations(
      model,
      [site],
      Array.from({ length: count }, (_, i) => world.document(split, i)),
      OCCURRENCES,
      isClear,
    );
  const parts = [await read('train', DOCUMENTS.train), await read('held-out', DOCUMENTS.test)];
  const concepts = parts.flatMap((part) => [...part.concepts]);
  const acts = parts.map((part) => part.sites.get(siteName(site))!);
  const rows = [...concepts.keys()];
  const isTest = (row: number): boolean => row >= parts[0].rows;

  const fold = foldsOfLeaves(world, new Random(seed, 'evals', 'probing', 'test words'));
  const isUnseen = (row: number): boolean => fold[concepts[row]] === 0;
  const kinds = (row: number): string[] =>
    taxonomy
      .chainOf(concepts[row])
      .slice(1)
      .filter((kind) => taxonomy.leaves(kind).length >= LEAVES)
      .map((kind) => world.names[kind]);
  return {
    name: 'world',
    tasks: [
      {
        name: 'world_kinds',
        about:
          'kinds of the embedded world, at words below them in sentences that training text does not hold; no test word is a training word',
        train: rows.filter((row) => !isTest(row) && !isUnseen(row)),
        test: rows.filter((row) => isTest(row) && isUnseen(row)),
        labels: kinds,
      },
      {
        name: 'world_words',
        about:
          'single concepts of the embedded world, at their words in three languages, in sentences that training text does not hold',
        train: rows.filter((row) => !isTest(row)),
        test: rows.filter(isTest),
        labels: (row) => [world.names[concepts[row]]],
      },
    ],
    unit: 'concepts that test words name',
    unitOf: (row) => concepts[row],
    features: (encoders, chosen) => {
      const { d } = model.info;
      const raw = new Float32Array(chosen.length * d);
      chosen.forEach((row, i) => {
        const [part, at] = isTest(row) ? [acts[1], row - parts[0].rows] : [acts[0], row];
        raw.set(part.subarray(at * d, (at + 1) * d), i * d);
      });
      return encoders.ofTokens(raw);
    },
  };
}
