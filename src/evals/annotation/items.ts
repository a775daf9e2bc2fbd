/** What people are asked about latents: blinded items, and the key that says where each comes from. */
import { cacheKey } from '../../core/cache.ts';
import { InputError } from '../../core/errors.ts';
import { Random } from '../../core/random.ts';
import type { Tokenizer } from '../../lm/tokenizer.ts';
import type { EvalContext } from '../context.ts';
import { sampleContexts, shuffled, stratifiedLatents, tokenizerOf } from '../context-sample.ts';
import { markedText, tokenTexts } from '../context-text.ts';
import type { Context, ContextCounts, LatentContexts } from '../contexts.ts';
import { forestOf } from '../forest-of.ts';
import { disjoint, markedContext } from '../labels/examples.ts';
import { latentPairs } from '../latent-pairs.ts';

export const KINDS = ['relation', 'detection', 'coherence'] as const;
export type Kind = (typeof KINDS)[number];

const YES_NO = ['yes', 'no'] as const;

export interface KindOfItem {
  readonly question: string;
  readonly hint: string;
  /** In their order, where they have one. */
  readonly answers: readonly string[];
  /** What the items of this kind are made of: that which should be affirmed, and its null. */
  readonly conditions: readonly [target: string, null_: string];
}

/** The questions. Marked words stand in << and >>. */
export const ABOUT: Readonly<Record<Kind, KindOfItem>> = {
  relation: {
    question: 'Is B a special case of A?',
    hint: 'Work out what the marked words of A have in common, and those of B. Yes, if everything that B stands for is also something that A stands for, and A is wider.',
    answers: YES_NO,
    conditions: ['forest', 'random'],
  },
  detection: {
    question: 'Does what is marked in A also occur in B?',
    hint: 'Work out what the marked words of A have in common. Yes, if it occurs anywhere in the text of B.',
    answers: YES_NO,
    conditions: ['fires', 'silent'],
  },
  coherence: {
    question: 'Do the marked words share one concept?',
    hint: '1: nothing in common · 2: hardly · 3: some of them · 4: most of them · 5: all of them, and one can say what it is.',
    answers: ['1', '2', '3', '4', '5'],
    conditions: ['latent', 'mixed'],
  },
};

export interface Item {
  /** Says nothing about where it comes from; equal items have equal names. */
  readonly id: string;
  readonly kind: Kind;
  /** Texts of A, and of B where there is one. */
  readonly a: readonly string[];
  readonly b: readonly string[];
}

export interface KeyEntry {
  readonly id: string;
  readonly kind: Kind;
  /** One of the conditions of the kind. */
  readonly condition: string;
  readonly latents: readonly number[];
}

export interface AnnotationSet {
  readonly items: readonly Item[];
  readonly key: readonly KeyEntry[];
}

type Draft = Omit<Item, 'id'> & Omit<KeyEntry, 'id'>;

/** Contexts of a latent that a person reads: 4 top and 2 importance-sampled ones. */
const SHOWN = { top: 4, importance: 2 };
/** Contexts of an item of coherence. */
const COHERENCE_TEXTS = 6;
const COUNTS: ContextCounts = { top: 8, importance: 16, uniform: 24, random: 100 };

/**
 * About as many items of each kind, half of them in each condition, in random order.
 * @throws InputError without text, or where the SAE gives too few items
 */
export async function drawItems(
  context: EvalContext,
  { kinds, items: wanted }: { kinds: readonly Kind[]; items: number },
): Promise<AnnotationSet> {
  const { seed } = context;
  const tokenizer = tokenizerOf(context);
  const each = Math.ceil(wanted / kinds.length / 2);
  const judged = kinds.includes('relation') ? await forestOf(context) : undefined;
  let latents: number[] = [];
  let pairs: ReturnType<typeof latentPairs> = [];
  const { contexts } = await sampleContexts(context, COUNTS, (eligible) => {
    const needed = kinds.includes('coherence') ? each * (1 + COHERENCE_TEXTS) : 2 * each;
    if (kinds.some((kind) => kind !== 'relation')) latents = stratifiedLatents(eligible, needed, seed);
    if (judged) pairs = latentPairs(judged.forest, new Set(eligible), each, seed);
    return [...new Set([...latents, ...pairs.flatMap(({ parent, child }) => [parent, child])])];
  });
  const random = new Random(seed, 'annotation', 'order');
  const sample = shuffled(
    latents.map((latent) => contexts.get(latent)!),
    random,
  );
  const drafts: Record<Kind, () => Draft[]> = {
    relation: () => pairs.map((pair) => relation(pair, contexts, tokenizer)),
    detection: () => detection(sample, each, tokenizer),
    coherence: () => coherence(sample, each, tokenizer),
  };
  const all = kinds.flatMap((kind) => drafts[kind]().map((draft) => named(draft, seed)));
  const drawn = shuffled([...new Map(all.map((entry) => [entry.id, entry])).values()], random).slice(0, wanted);
  if (drawn.length === 0) {
    throw new InputError('this SAE gives no items of these kinds: too few latents fire often enough, or have parents', {
      hint: 'take more rows with --rows, or other --kinds',
    });
  }
  return {
    items: drawn.map(({ id, kind, a, b }) => ({ id, kind, a, b })),
    key: drawn.map(({ id, kind, condition, latents }) => ({ id, kind, condition, latents })),
  };
}

const named = (draft: Draft, seed: number): Draft & { id: string } => ({
  id: cacheKey([seed, draft.kind, draft.a, draft.b]).slice(0, 10),
  ...draft,
});

function shownContexts({ top, importance }: LatentContexts): Context[] {
  const strongest = disjoint(top, [], SHOWN.top);
  return [...strongest, ...disjoint(importance, strongest, SHOWN.importance)];
}

const shownTexts = (latent: LatentContexts, tokenizer: Tokenizer): string[] =>
  shownContexts(latent).map((context) => markedContext(tokenizer, context, latent));

function relation(
  { parent, child, origin }: ReturnType<typeof latentPairs>[number],
  contexts: ReadonlyMap<number, LatentContexts>,
  tokenizer: Tokenizer,
): Draft {
  const [a, b] = [parent, child].map((latent) => shownTexts(contexts.get(latent)!, tokenizer));
  return { kind: 'relation', condition: origin, latents: [parent, child], a, b };
}

/** The first latents with a text in which they fire, the next ones with a text in which they do not. */
function detection(sample: readonly LatentContexts[], each: number, tokenizer: Tokenizer): Draft[] {
  return sample.slice(0, 2 * each).flatMap((latent, i) => {
    const fires = i % 2 === 0;
    // Every item has another text of B: a text that comes again and again would give itself away.
    const text = fires
      ? disjoint(latent.uniform, shownContexts(latent), 1)[0]
      : latent.silent[i % latent.silent.length];
    if (!text) return [];
    return {
      kind: 'detection',
      condition: fires ? 'fires' : 'silent',
      latents: [latent.latent],
      a: shownTexts(latent, tokenizer),
      b: [markedText(tokenTexts(tokenizer, text.tokens))],
    } as const;
  });
}

/** Texts of one latent, from its whole range; and as the null texts of as many different ones. */
function coherence(sample: readonly LatentContexts[], each: number, tokenizer: Tokenizer): Draft[] {
  const one = sample.slice(0, each).map((latent): Draft => {
    const texts = disjoint(latent.importance, [], COHERENCE_TEXTS);
    const a = texts.map((context) => markedContext(tokenizer, context, latent));
    return { kind: 'coherence', condition: 'latent', latents: [latent.latent], a, b: [] };
  });
  const others = sample.slice(each);
  const mixed = Array.from({ length: each }, (_, i): Draft => {
    const latents = others.slice(i * COHERENCE_TEXTS, (i + 1) * COHERENCE_TEXTS);
    const a = latents.map((latent) => markedContext(tokenizer, latent.importance[0], latent));
    return { kind: 'coherence', condition: 'mixed', latents: latents.map(({ latent }) => latent), a, b: [] };
  });
  return [...one, ...mixed].filter(({ a }) => a.length === COHERENCE_TEXTS);
}
