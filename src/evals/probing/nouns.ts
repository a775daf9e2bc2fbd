/**
 * Kinds of things in single tokens: the hypernyms that WordNet gives to nouns, probed at the tokens that are these nouns in held-out text.
 * Training and test words are different ones: what a probe finds is the kind, not a list of words.
 */
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../core/errors.ts';
import { Random } from '../../core/random.ts';
import type { LanguageModel } from '../../lm/model.ts';
import type { EvalContext } from '../context.ts';
import { HeldOutRows } from '../held-out-rows.ts';
import type { DataSet } from './data-set.ts';
import { readTsv } from './tsv.ts';

/** Synsets with many common nouns below them, near the top but below what divides no more than things from ideas. */
const KINDS = [
  'artifact.n.01',
  'animal.n.01',
  'person.n.01',
  'plant.n.02',
  'food.n.01',
  'body_part.n.01',
  'location.n.01',
  'structure.n.01',
  'vehicle.n.01',
  'clothing.n.01',
  'act.n.02',
  'attribute.n.02',
  'cognition.n.01',
  'communication.n.02',
  'measure.n.02',
];

/** Occurrences of a token at most, the first that come: usual words do not crowd out rare ones. */
const OCCURRENCES = 20;
/** One word in so many is tested on. */
const TESTED = 3;

/** All nouns, for any model. */
export const NOUNS = 'wordnet-nouns.tsv';
const NOUN_COLUMNS = [
  'word',
  'synset',
  'n_senses',
  'tag_count',
  'sense1_tag_count',
  'depth',
  'hypernym_chain',
] as const;

/** Nouns among the tokens of one model, named after its folder. */
const tokenFileOf = (model: LanguageModel): string => `${basename(model.folder)}-token-nouns.tsv`;
const TOKEN_COLUMNS = [
  'token_id',
  'token',
  'lemma',
  'synset',
  'noun_tag_count',
  'other_pos_tag_count',
  'sense1_tag_count',
  'token_count',
  'doc_count',
  'whole_word_fraction',
  'depth',
  'hypernym_chain',
] as const;
const tokenId = z.string().regex(/^\d+$/).transform(Number);

interface Noun {
  readonly word: string;
  readonly kinds: readonly string[];
}

/** By token. @returns undefined where the folder has no table @throws InputError for one that belongs to another vocabulary */
export function readTokenNouns(folder: string, model: LanguageModel): Map<number, Noun> | undefined {
  const ofModel = join(folder, tokenFileOf(model));
  if (existsSync(ofModel)) return nounsOfModel(ofModel, model);
  const all = join(folder, NOUNS);
  return existsSync(all) ? nounsAmongTokens(all, model) : undefined;
}

function nounsOfModel(path: string, { tokenizer, info }: LanguageModel): Map<number, Noun> {
  const nouns = readTsv(path, TOKEN_COLUMNS).map((row, i): [number, Noun] => {
    const id = tokenId.safeParse(row.token_id);
    const own = id.success && id.data < info.vocab ? tokenizer.token(id.data) : undefined;
    if (own !== row.token) {
      throw new InputError(
        `row ${i + 1} says that token ${row.token_id} is "${row.token}"; ` +
          (own === undefined ? `this model has tokens 0 to ${info.vocab - 1}` : `for this model it is "${own}"`),
        { where: path, hint: 'the table was made for another vocabulary' },
      );
    }
    return [id.data!, { word: row.lemma, kinds: kindsIn(row.hypernym_chain) }];
  });
  return new Map(nouns);
}

/** Words that are one token in the middle of a text. */
function nounsAmongTokens(path: string, { tokenizer }: LanguageModel): Map<number, Noun> {
  const before = tokenizer.encode('the').length;
  const nouns = readTsv(path, NOUN_COLUMNS).flatMap(({ word, hypernym_chain }): [number, Noun][] => {
    const tokens = tokenizer.encode(`the ${word}`).subarray(before);
    return tokens.length === 1 ? [[tokens[0], { word, kinds: kindsIn(hypernym_chain) }]] : [];
  });
  return new Map(nouns);
}

function kindsIn(chain: string): string[] {
  const synsets = chain.split(' ');
  return KINDS.filter((kind) => synsets.includes(kind));
}

/** @returns why there is nothing to probe, if so */
export async function nounDataSet(context: EvalContext, nouns: ReadonlyMap<number, Noun>): Promise<DataSet | string> {
  const seen = new Map<number, number>();
  const places: number[] = [];
  const noun: Noun[] = [];
  const held = await HeldOutRows.open(context.source, context.normalization, context, ({ tokens }, start) => {
    for (const [i, token] of tokens.entries()) {
      const named = nouns.get(token);
      const before = seen.get(token) ?? 0;
      if (!named || before === OCCURRENCES) continue;
      seen.set(token, before + 1);
      places.push(start + i);
      noun.push(named);
    }
  });
  if (!held.hasOrigins) return 'the activations were not harvested from a language model';
  const isTested = testedWords(noun, context.seed);
  const rows = [...places.keys()];
  return {
    name: 'nouns',
    tasks: [
      {
        name: 'wordnet',
        about:
          'kinds of nouns in WordNet (hypernyms of their first sense), at tokens of held-out text; no test word is a training word',
        train: rows.filter((row) => !isTested.has(noun[row].word)),
        test: rows.filter((row) => isTested.has(noun[row].word)),
        labels: (row) => noun[row].kinds,
      },
    ],
    unit: 'test words',
    unitOf: (row) => noun[row].word,
    features: async (encoders, chosen) => {
      const rows = chosen.map((row) => places[row]);
      return encoders.ofTokens(await rowsAt(held, rows));
    },
  };
}

/** `[places, d]` raw activations of some held-out rows in ascending order. */
async function rowsAt(held: HeldOutRows, places: readonly number[]): Promise<Float32Array> {
  const { d } = held;
  const acts = new Float32Array(places.length * d);
  let next = 0;
  for await (const { start, rows, raw } of held.batches()) {
    for (; next < places.length && places[next] < start + rows; next++) {
      acts.set(raw.subarray((places[next] - start) * d, (places[next] - start + 1) * d), next * d);
    }
  }
  return acts;
}

/** One word in {@link TESTED} of every kind. */
function testedWords(nouns: readonly Noun[], seed: number): Set<string> {
  const random = new Random(seed, 'evals', 'probing', 'test words');
  const words = [...new Map(nouns.map((noun) => [noun.word, noun])).values()]
    .map((noun) => ({ ...noun, kind: noun.kinds[0] ?? '', draw: random.uniform() }))
    .sort((a, b) => (a.kind === b.kind ? a.draw - b.draw : a.kind < b.kind ? -1 : 1));
  return new Set(words.filter((_, i) => i % TESTED === 0).map(({ word }) => word));
}
