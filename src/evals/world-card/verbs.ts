/** Whether a model expects subjects to do what their kind does, where training never had them do it. */
import type { Random } from '../../core/random.ts';
import { bootstrapMean, bootstrapRatio, type Interval } from '../../core/statistics.ts';
import { groupBy } from '../../world/group.ts';
import { LANGUAGES } from '../../world/languages/lexicon.ts';
import type { World, WorldDocument } from '../../world/world.ts';
import { newPairsOf, type NewPair } from './new-pairs.ts';
import type { NextTokens } from './next-tokens.ts';
import type { NGrams } from './ngram.ts';

export interface VerbScores {
  /**
   * Pairs of sentences that differ in the verb only: one that the subject can do but never does in training, and one that it
   * cannot do though the object allows it. By language, share of pairs where the first is more probable.
   */
  readonly minimalPairs: Record<string, { readonly model: Interval; readonly trigram: Interval }>;
  /** After "the ⟨subject⟩" in the first language: mean probability of a verb among verbs. */
  readonly afterSubject: {
    /** Of those that the subject can do: never seen with it, and seen. */
    readonly neverSeen: Interval;
    readonly seen: Interval;
    readonly impossible: Interval;
  };
}

export async function measureVerbs(
  world: World,
  nextTokens: NextTokens,
  ngrams: NGrams,
  documents: readonly WorldDocument[],
  random: () => Random,
): Promise<VerbScores> {
  const pairs = documents.flatMap((document) => newPairsOf(world, document));
  const choices = new VerbChoices(world);
  const draw = random();
  const usable = pairs.flatMap((pair) => {
    const wrong = choices.impossible(pair, draw);
    return wrong === undefined ? [] : [{ pair, wrong }];
  });
  const right = usable.map(({ pair: { document, end } }) => document.tokens.subarray(0, end));
  const wrong = usable.map(({ pair, wrong: verb }, i) => {
    const tokens = right[i].slice();
    [tokens[pair.position]] = world.lexicon.words[languageAt(pair)][verb];
    return tokens;
  });
  const bos = world.lexicon.bosId;
  // The tokens before the verb are the same in both; the end of the document is not part of the sentence.
  const lossOf = (losses: Float64Array, i: number): number =>
    losses.subarray(usable[i].pair.position - 1, -1).reduce((a, b) => a + b, 0);
  const wins = (of: (tokens: Int32Array, i: number, side: 0 | 1) => number): number[] =>
    usable.map((_, i) => {
      const gap = of(wrong[i], i, 1) - of(right[i], i, 0);
      return gap > 0 ? 1 : gap === 0 ? 0.5 : 0;
    });
  const losses = [await nextTokens.losses(right), await nextTokens.losses(wrong)];
  const model = wins((_, i, side) => lossOf(losses[side][i], i));
  const trigram = wins((tokens, i) => lossOf(ngrams.losses('trigram', tokens, bos), i));
  const byLanguage = groupBy(usable.keys(), (i) => LANGUAGES[languageAt(usable[i].pair)]);
  return {
    minimalPairs: Object.fromEntries(
      [
        ...LANGUAGES.flatMap((name) => [[name, byLanguage.get(name) ?? []] as const]),
        ['all', [...usable.keys()]] as const,
      ].map(([name, chosen]) => {
        const share = (values: number[]): Interval =>
          bootstrapMean(
            chosen.map((i) => values[i]),
            random(),
          );
        return [name, { model: share(model), trigram: share(trigram) }];
      }),
    ),
    afterSubject: await afterSubject(world, nextTokens, choices, pairs, random),
  };
}

async function afterSubject(
  world: World,
  nextTokens: NextTokens,
  choices: VerbChoices,
  pairs: readonly NewPair[],
  random: () => Random,
): Promise<VerbScores['afterSubject']> {
  // The verb right behind the subject's noun.
  const asked = pairs.filter(
    ({ document, position, subject }) =>
      document.languages[position] === 0 && document.concepts[position - 1] === subject,
  );
  const mass = { neverSeen: [] as number[], seen: [] as number[], impossible: [] as number[] };
  const verbs = { neverSeen: [] as number[], seen: [] as number[], impossible: [] as number[] };
  await nextTokens.forEach(
    asked.map(({ document, position }) => document.tokens.subarray(0, position)),
    (i, position, logProbabilities) => {
      if (position !== asked[i].position - 1) return;
      const sums = { neverSeen: [0, 0], seen: [0, 0], impossible: [0, 0] };
      for (const verb of choices.verbs) {
        const kind = choices.kindOf(asked[i].subject, verb);
        sums[kind][0] += Math.exp(logProbabilities[world.lexicon.words[0][verb][0]]);
        sums[kind][1]++;
      }
      const total = sums.neverSeen[0] + sums.seen[0] + sums.impossible[0];
      for (const kind of ['neverSeen', 'seen', 'impossible'] as const) {
        mass[kind].push(sums[kind][0] / total);
        verbs[kind].push(sums[kind][1]);
      }
    },
  );
  return {
    neverSeen: bootstrapRatio(mass.neverSeen, verbs.neverSeen, random()),
    seen: bootstrapRatio(mass.seen, verbs.seen, random()),
    impossible: bootstrapRatio(mass.impossible, verbs.impossible, random()),
  };
}

class VerbChoices {
  /** Leaf actions that are one word of their own in every language. */
  readonly verbs: readonly number[];
  readonly #world: World;
  readonly #possible = new Map<number, Set<number>>();
  /** Actions that need no object, and by object those that somebody does to it. */
  readonly #alone = new Set<number>();
  readonly #byObject = new Map<number, Set<number>>();

  constructor(world: World) {
    const { taxonomy, behaviour, lexicon } = world;
    this.#world = world;
    const action = taxonomy.find('action')!;
    const isClear = (concept: number): boolean =>
      lexicon.words.every((words) => words[concept].every((word) => lexicon.meanings(word).length === 1));
    this.verbs = [...taxonomy.leaves(action)].filter(isClear);
    for (const subject of world.names.keys()) {
      if (!taxonomy.isLeaf(subject)) continue;
      const abilities = behaviour.abilities(subject);
      this.#possible.set(subject, new Set(abilities.map(({ verb }) => verb)));
      for (const { verb, rule } of abilities) {
        if (!rule.objects) this.#alone.add(verb);
        for (const kind of rule.objects?.concepts ?? []) {
          for (const object of taxonomy.leaves(kind)) {
            const verbs = this.#byObject.get(object);
            if (verbs) verbs.add(verb);
            else this.#byObject.set(object, new Set([verb]));
          }
        }
      }
    }
  }

  kindOf(subject: number, verb: number): 'neverSeen' | 'seen' | 'impossible' {
    if (!this.#possible.get(subject)!.has(verb)) return 'impossible';
    return this.#world.pairs.isHeldOut(subject, verb) ? 'neverSeen' : 'seen';
  }

  /** An action that could stand in the same sentence but for its subject; as usual as the one it replaces where possible. */
  impossible({ subject, verb, object }: NewPair, random: Random): number | undefined {
    const fitting = object === undefined ? this.#alone : this.#byObject.get(object);
    const others = this.verbs.filter((other) => fitting?.has(other) && this.kindOf(subject, other) === 'impossible');
    const { usual } = this.#world.taxonomy;
    const distance = (other: number): number => Math.abs(Math.log(usual[other] / usual[verb]));
    const nearest = others.sort((a, b) => distance(a) - distance(b)).slice(0, 5);
    return nearest.length > 0 ? nearest[random.below(nearest.length)] : undefined;
  }
}

function languageAt({ document, position }: NewPair): number {
  return document.languages[position];
}
