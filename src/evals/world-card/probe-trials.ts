/** Which words a probe is trained on, and which it is tested on. */
import { Permutation } from '../../core/permutation.ts';
import type { Random } from '../../core/random.ts';
import { groupBy } from '../../world/group.ts';
import { LANGUAGES } from '../../world/languages/lexicon.ts';
import type { World } from '../../world/world.ts';
import type { WordActivations } from './word-activations.ts';

export const TESTS = {
  sentences: 'words of sentences that never occur in training',
  combinations: 'subject and verb of pairs that never occur in training',
  homonyms: 'words with two meanings, one meaning against the other within each word: only the context tells',
  words: 'words of leaf concepts of which the probe has seen no word: a third of them each time, three times',
  siblings: 'the same, only among the words of the concept above',
  talori: `${LANGUAGES[1]} words; the probe has seen ${LANGUAGES[0]} words only`,
  krend: `${LANGUAGES[2]} words; the probe has seen ${LANGUAGES[0]} words only`,
} as const;
export type TestName = keyof typeof TESTS;

export interface ProbeWords {
  /** Of training text. */
  readonly train: WordActivations;
  /** Of held-out sentences. */
  readonly heldOut: WordActivations;
  /** Subjects and verbs of new combinations. */
  readonly combinations: WordActivations;
}

export interface ProbeTest {
  readonly name: TestName;
  readonly words: keyof ProbeWords;
  /** Rows to tell apart by a concept, in random order; several groups where only words within a group can be compared. */
  groups(concept: number): readonly (readonly number[])[];
}

export interface Trial {
  /** Rows of the training words, in random order. */
  readonly train: readonly number[];
  /** Least number of leaves below a concept that is probed. */
  readonly leaves: number;
  readonly tests: readonly ProbeTest[];
}

const FOLDS = 3;

export function probeTrials(world: World, words: ProbeWords, random: Random): Trial[] {
  const { taxonomy, lexicon } = world;
  const rowsOf = (set: WordActivations, isWanted: (row: number) => boolean = () => true): number[] => {
    const order = new Permutation(set.rows, random);
    return Array.from({ length: set.rows }, (_, i) => order.at(i)).filter(isWanted);
  };
  const { train, heldOut } = words;

  const homonyms = [...groupBy(rowsOf(heldOut), (row) => heldOut.tokens[row]).values()].filter((rows) =>
    rows.some((row) => heldOut.concepts[row] !== heldOut.concepts[rows[0]]),
  );
  const whole = [rowsOf(heldOut)];
  const combinations = [rowsOf(words.combinations)];
  const seenWords: Trial = {
    train: rowsOf(train),
    leaves: 1,
    tests: [
      { name: 'sentences', words: 'heldOut', groups: () => whole },
      { name: 'combinations', words: 'combinations', groups: () => combinations },
      { name: 'homonyms', words: 'heldOut', groups: () => homonyms },
    ],
  };

  // From here on only words with one meaning: a word that is unseen under one meaning may not be seen under another.
  const isClear = (set: WordActivations, row: number): boolean => lexicon.meanings(set.tokens[row]).length === 1;
  const fold = foldsOfLeaves(world, random);
  const foldOf = (set: WordActivations, row: number): number => (isClear(set, row) ? fold[set.concepts[row]] : -1);
  const folds = Array.from({ length: FOLDS }, (_, out): Trial => {
    const unseen = rowsOf(heldOut, (row) => foldOf(heldOut, row) === out);
    return {
      train: rowsOf(train, (row) => foldOf(train, row) >= 0 && foldOf(train, row) !== out),
      leaves: FOLDS,
      tests: [
        { name: 'words', words: 'heldOut', groups: () => [unseen] },
        {
          name: 'siblings',
          words: 'heldOut',
          groups: (concept) => {
            const above = taxonomy.forest.parent[concept];
            return above < 0 ? [] : [unseen.filter((row) => taxonomy.isA(heldOut.concepts[row], above))];
          },
        },
      ],
    };
  });

  const ofLanguage = (set: WordActivations, language: number): number[] =>
    rowsOf(set, (row) => set.languages[row] === language && isClear(set, row));
  const across: Trial = {
    train: ofLanguage(train, 0),
    leaves: 1,
    tests: (['talori', 'krend'] as const).map((name) => {
      const rows = [ofLanguage(heldOut, LANGUAGES.indexOf(name))];
      return { name, words: 'heldOut', groups: () => rows };
    }),
  };
  return [seenWords, ...folds, across];
}

/** `[concepts]` part of each leaf, −1 for other concepts; the leaves of every concept are dealt out evenly. */
export function foldsOfLeaves({ taxonomy }: World, random: Random): Int32Array {
  const folds = new Int32Array(taxonomy.size).fill(-1);
  let next = 0;
  // In the order of the tree, leaves with the same parent follow each other.
  for (const concept of taxonomy.forest.order) {
    const leaves = [...taxonomy.forest.children(concept)].filter((child) => taxonomy.isLeaf(child));
    next += random.below(FOLDS);
    for (const leaf of leaves) folds[leaf] = next++ % FOLDS;
  }
  return folds;
}
