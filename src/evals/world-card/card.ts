/** Measures a language model of the world: what its model card says, except for how it was trained. */
import { InputError } from '../../core/errors.ts';
import { Random } from '../../core/random.ts';
import type { LanguageModel } from '../../lm/model.ts';
import type { Site } from '../../lm/site.ts';
import type { Split } from '../../world/story.ts';
import type { World, WorldDocument } from '../../world/world.ts';
import { measureLosses, type LossRows } from './losses.ts';
import { NextTokens } from './next-tokens.ts';
import { NGrams } from './ngram.ts';
import { newPairsOf } from './new-pairs.ts';
import { probeTaxonomy, type ProbeScore } from './probes.ts';
import { TESTS } from './probe-trials.ts';
import { measureVerbs, type VerbScores } from './verbs.ts';
import { withRandomVectors, wordActivations } from './word-activations.ts';

export interface WorldCard {
  readonly world: { readonly hash: string; readonly concepts: number; readonly vocabulary: number };
  readonly model: {
    readonly sha256: string;
    readonly parameters: number;
    readonly layers: number;
    readonly d: number;
  };
  readonly seed: number;
  readonly limits: CardLimits;
  /** Tokens that the n-gram models were trained on: the first of the training split, as the model's own. */
  readonly ngramTokens: number;
  /** By split, and there by language. */
  readonly losses: Readonly<Record<'held-out' | 'new-combinations', LossRows>>;
  readonly tests: typeof TESTS;
  readonly probes: readonly ProbeScore[];
  readonly verbs: VerbScores;
}

export interface CardLimits {
  readonly ngramTokens: number;
  /** Documents of each split for losses and verbs. */
  readonly documents: number;
  /** Documents that words for probes are taken from, in training and in a test. */
  readonly probeDocuments: number;
  /** Words at most of the same form and meaning. */
  readonly perMeaning: number;
  readonly conceptsPerLevel: number;
  /** Of each class, for one probe. */
  readonly examples: number;
}

export const CARD_LIMITS: CardLimits = {
  ngramTokens: 12_288_000,
  documents: 1500,
  probeDocuments: 6000,
  perMeaning: 16,
  conceptsPerLevel: 30,
  examples: 500,
};

/** Far behind the documents that a model of this size is trained on. */
const FRESH = 10_000_000;
const SEED = 0;

/** @throws InputError if the model speaks another language than the world */
export async function measureWorldModel(
  world: World,
  model: LanguageModel,
  limits: CardLimits,
  onProgress: (doing: string) => void,
): Promise<WorldCard> {
  checkVocabulary(world, model);
  const random = (): Random => new Random(SEED, 'bootstrap');
  const documents = (split: Split, start: number, count: number): WorldDocument[] =>
    Array.from({ length: count }, (_, i) => world.document(split, start + i));

  onProgress(`n-gram models of ${limits.ngramTokens.toLocaleString('en')} tokens`);
  const ngrams = new NGrams(trainingText(world, limits.ngramTokens), world.vocabulary.length, world.lexicon.bosId);
  const nextTokens = await NextTokens.open(model);
  const combinations = documents('new-combinations', 0, limits.documents);
  onProgress('losses');
  const losses = {
    'held-out': await measureLosses(
      world,
      nextTokens,
      ngrams,
      'held-out',
      documents('held-out', 0, limits.documents),
      random,
    ),
    'new-combinations': await measureLosses(world, nextTokens, ngrams, 'new-combinations', combinations, random),
  };
  onProgress('verbs of new combinations');
  const verbs = await measureVerbs(world, nextTokens, ngrams, combinations, random);
  await nextTokens.release();

  onProgress('activations');
  const sites: Site[] = [
    { layer: 0, hook: 'resid_pre' },
    ...model.info.residuals.map(({ layer }): Site => ({ layer, hook: 'resid_post' })),
  ];
  const words = async (split: Split, choose?: (document: WorldDocument, position: number) => boolean) =>
    withRandomVectors(
      await wordActivations(model, sites, documents(split, FRESH, limits.probeDocuments), limits.perMeaning, choose),
      model.info.d,
      SEED,
    );
  const isOfNewPair = (document: WorldDocument, position: number): boolean =>
    newPairsOf(world, document).some((pair) => pair.position === position || pair.subjectPosition === position);
  const probeWords = {
    train: await words('train'),
    heldOut: await words('held-out'),
    combinations: await words('new-combinations', isOfNewPair),
  };
  const probes = probeTaxonomy(
    world,
    probeWords,
    { concepts: limits.conceptsPerLevel, examples: limits.examples },
    SEED,
    (site) => onProgress(`probes on ${site}`),
  );
  return {
    world: { hash: world.hash, concepts: world.names.length, vocabulary: world.vocabulary.length },
    model: {
      sha256: await model.hash(),
      parameters: model.parameters,
      layers: model.info.layers,
      d: model.info.d,
    },
    seed: SEED,
    limits,
    ngramTokens: ngrams.tokens,
    losses,
    tests: TESTS,
    probes,
    verbs,
  };
}

function* trainingText(world: World, tokens: number): Generator<Int32Array> {
  for (let i = 0, total = 0; total < tokens; i++) {
    const document = world.document('train', i);
    total += document.tokens.length;
    yield document.tokens;
  }
}

function checkVocabulary(world: World, { tokenizer, folder }: LanguageModel): void {
  const { vocabulary } = world;
  const other = vocabulary.findIndex((word, id) => tokenizer.token(id) !== word);
  if (tokenizer.size === vocabulary.length && other < 0) return;
  throw new InputError(
    tokenizer.size === vocabulary.length
      ? `token ${other} of the model is "${tokenizer.token(other)}", that of the world "${vocabulary[other]}"`
      : `the model has ${tokenizer.size} tokens, the world ${vocabulary.length}`,
    { where: folder, hint: 'give a model that was trained on this world, or the settings of its world' },
  );
}
