/** The contexts of one latent, dealt out: some are shown to find a label, others to score it. */
import { Random } from '../../core/random.ts';
import type { Tokenizer } from '../../lm/tokenizer.ts';
import { shuffled } from '../context-sample.ts';
import { firingTokens, markedText, tokenTexts } from '../context-text.ts';
import { WINDOW, type Context, type ContextCounts, type LatentContexts } from '../contexts.ts';

/** SAEBench's autointerp: explained from 10 top and 5 importance-sampled contexts, scored on 2, 2 and 10 random ones. */
const EXPLAINED = { top: 10, importance: 5 };
const PREDICTED = { top: 2, importance: 2, silent: 10 };
/** Delphi: contexts in which the latent fires, and as many in which it does not. */
const DETECTED = 10;
/** Delphi: contexts marked where the latent fires, and as many marked elsewhere. */
const FUZZED = 5;

/** What has to be kept so that there is enough after contexts that overlap were set aside. */
export const CONTEXT_COUNTS: ContextCounts = { top: 16, importance: 24, uniform: 40, random: 400 };

/** Texts and whether a label that is right says yes to each. */
export interface Trial {
  readonly texts: readonly string[];
  readonly truth: readonly boolean[];
}

export interface Examples {
  readonly latent: number;
  /** Marked, the strongest first. */
  readonly shown: readonly string[];
  readonly prediction: Trial;
  readonly detection: Trial;
  readonly fuzzing: Trial;
}

/** Marked contexts of a latent: 10 top, 5 importance-sampled. */
export function shownContexts({ top, importance }: LatentContexts): Context[] {
  const first = disjoint(top, [], EXPLAINED.top);
  return [...first, ...disjoint(importance, first, EXPLAINED.importance)];
}

export function markedContext(tokenizer: Tokenizer, context: Context, { top }: LatentContexts): string {
  return markedText(tokenTexts(tokenizer, context.tokens), firingTokens(context, strongestOf(top)));
}

/** @returns why there is none, for a latent with too few places where it fires, or does not */
export function examplesOf(latent: LatentContexts, tokenizer: Tokenizer, seed: number): Examples | string {
  const random = new Random(seed, 'labels', 'examples', latent.latent);
  const top = shuffled(disjoint(latent.top, [], EXPLAINED.top + PREDICTED.top), random);
  const explainedTop = top.slice(0, EXPLAINED.top).sort((a, b) => strongestOf([b]) - strongestOf([a]));
  const importance = disjoint(latent.importance, top, EXPLAINED.importance + PREDICTED.importance);
  const shown = [...explainedTop, ...importance.slice(0, EXPLAINED.importance)];
  const scored = [...top.slice(EXPLAINED.top), ...importance.slice(EXPLAINED.importance)];
  const active = disjoint(latent.uniform, shown, DETECTED);
  const silent = shuffled(disjoint(latent.silent, [], Infinity), random);
  if (scored.length < PREDICTED.top + PREDICTED.importance || active.length < DETECTED) {
    return 'fires in too few separate places';
  }
  if (silent.length < PREDICTED.silent + DETECTED) return 'fires nearly everywhere';

  const text = (context: Context): string => markedText(tokenTexts(tokenizer, context.tokens));
  const [first, second] = [silent.slice(0, PREDICTED.silent), silent.slice(PREDICTED.silent).slice(0, DETECTED)];
  return {
    latent: latent.latent,
    shown: shown.map((context) => markedContext(tokenizer, context, latent)),
    prediction: trial(
      [...scored.map((c) => [text(c), true] as const), ...first.map((c) => [text(c), false] as const)],
      random,
    ),
    detection: trial(
      [...active.map((c) => [text(c), true] as const), ...second.map((c) => [text(c), false] as const)],
      random,
    ),
    fuzzing: trial(
      active.map((context, i) => {
        const right = i < FUZZED;
        const texts = tokenTexts(tokenizer, context.tokens);
        const firing = firingTokens(context, strongestOf(latent.top));
        return [markedText(texts, right ? firing : elsewhere(firing, texts, random)), right] as const;
      }),
      random,
    ),
  };
}

function trial(items: readonly (readonly [text: string, truth: boolean])[], random: Random): Trial {
  const order = shuffled(items, random);
  return { texts: order.map(([text]) => text), truth: order.map(([, truth]) => truth) };
}

/** As many marks, on tokens with text at which the latent does not fire. */
function elsewhere(firing: readonly boolean[], texts: readonly string[], random: Random): boolean[] {
  const free = [...firing.keys()].filter((i) => !firing[i] && texts[i].trim() !== '');
  const chosen = new Set(shuffled(free, random).slice(0, firing.filter(Boolean).length));
  return firing.map((_, i) => chosen.has(i));
}

function strongestOf(contexts: readonly Context[]): number {
  return contexts.reduce((most, { strength }) => Math.max(most, ...strength), 0);
}

/** The first contexts that overlap neither each other nor those that are taken. */
export function disjoint(contexts: readonly Context[], taken: readonly Context[], most: number): Context[] {
  const chosen: Context[] = [];
  for (const context of contexts) {
    if (chosen.length >= most) break;
    const overlaps = (other: Context): boolean => Math.abs(other.start - context.start) < WINDOW;
    if (![...taken, ...chosen].some(overlaps)) chosen.push(context);
  }
  return chosen;
}
