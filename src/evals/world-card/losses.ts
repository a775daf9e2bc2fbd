/** Loss of a model on text of the world that it has not seen, against n-gram models and the generator itself. */
import type { Random } from '../../core/random.ts';
import { bootstrapRatio, type Interval } from '../../core/statistics.ts';
import { groupBy } from '../../world/group.ts';
import { LANGUAGES } from '../../world/languages/lexicon.ts';
import type { Split } from '../../world/story.ts';
import type { World, WorldDocument } from '../../world/world.ts';
import type { NextTokens } from './next-tokens.ts';
import { ORDERS, type NGrams, type Order } from './ngram.ts';

/** Nats per token, with the 95 % interval over documents. */
export interface LossRow {
  readonly documents: number;
  /** The end of a document counts as a token, its beginning does not. */
  readonly tokens: number;
  readonly model: Interval;
  readonly baselines: Readonly<Record<Order, Interval>>;
  /**
   * −ln P of the choices that made the text: an upper bound of the entropy. Absent where the choices were forced to give
   * what training never has.
   */
  readonly generator?: Interval;
}

/** By language, `mixed` for documents in several, and `all`. */
export type LossRows = Record<string, LossRow>;

export async function measureLosses(
  world: World,
  nextTokens: NextTokens,
  ngrams: NGrams,
  split: Split,
  documents: readonly WorldDocument[],
  random: () => Random,
): Promise<LossRows> {
  const tokens = documents.map((document) => document.tokens);
  const sums = {
    model: (await nextTokens.losses(tokens)).map(sum),
    generator: documents.map(({ surprisal }) => surprisal),
    ...Object.fromEntries(
      orders.map((order) => [order, tokens.map((ids) => sum(ngrams.losses(order, ids, world.lexicon.bosId)))]),
    ),
  } as Record<'model' | 'generator' | Order, number[]>;

  const row = (chosen: readonly number[]): LossRow => {
    const lengths = chosen.map((i) => tokens[i].length);
    const ratio = (of: number[]): Interval =>
      bootstrapRatio(
        chosen.map((i) => of[i]),
        lengths,
        random(),
      );
    return {
      documents: chosen.length,
      tokens: sum(lengths),
      model: ratio(sums.model),
      baselines: { unigram: ratio(sums.unigram), bigram: ratio(sums.bigram), trigram: ratio(sums.trigram) },
      ...(split !== 'new-combinations' && { generator: ratio(sums.generator) }),
    };
  };
  const byLanguage = groupBy(documents.keys(), (i) => languageOf(documents[i]));
  const rows = [...LANGUAGES, 'mixed'].flatMap((name) => {
    const chosen = byLanguage.get(name);
    return chosen ? [[name, row(chosen)] as const] : [];
  });
  return Object.fromEntries([...rows, ['all', row([...documents.keys()])]]);
}

const orders = Object.keys(ORDERS) as Order[];

/** Name of the only language of a document, or `mixed`. The first token belongs to none. */
function languageOf({ languages }: WorldDocument): string {
  return languages.subarray(1).every((language) => language === languages[1]) ? LANGUAGES[languages[1]] : 'mixed';
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i];
  return total;
}
