/** All questions about the latents and pairs of a run, in the order in which they depend on each other. */
import type { Tokenizer } from '../../lm/tokenizer.ts';
import type { LatentContexts } from '../contexts.ts';
import type { LatentPair } from '../latent-pairs.ts';
import { markedContext, shownContexts, type Examples, type Trial } from './examples.ts';
import { detect, fuzz, predict, relate, TEXTS_PER_QUESTION, type Question, type Relation } from './prompts.ts';

/** A question about several texts, and the right answers. */
export interface Judgement {
  readonly question: Question<boolean[]>;
  readonly truth: readonly boolean[];
}

export interface Judgements {
  readonly prediction: readonly Judgement[];
  readonly detection: readonly Judgement[];
  readonly fuzzing: readonly Judgement[];
}

/** What decides how well an explanation fits its latent. */
export function judgementsOf({ prediction, detection, fuzzing }: Examples, explanation: string): Judgements {
  const inParts = (
    { texts, truth }: Trial,
    ask: (explanation: string, texts: readonly string[]) => Question<boolean[]>,
  ): Judgement[] => {
    const parts = Math.ceil(texts.length / TEXTS_PER_QUESTION);
    return Array.from({ length: parts }, (_, p) => {
      const [from, to] = [p * TEXTS_PER_QUESTION, (p + 1) * TEXTS_PER_QUESTION];
      return { question: ask(explanation, texts.slice(from, to)), truth: truth.slice(from, to) };
    });
  };
  return {
    prediction: [{ question: predict(explanation, prediction), truth: prediction.truth }],
    detection: inParts(detection, detect),
    fuzzing: inParts(fuzzing, fuzz),
  };
}

export function relationQuestion(
  { parent, child }: LatentPair,
  contexts: ReadonlyMap<number, LatentContexts>,
  tokenizer: Tokenizer,
): Question<Relation> {
  const texts = (latent: number): string[] => {
    const found = contexts.get(latent)!;
    return shownContexts(found).map((context) => markedContext(tokenizer, context, found));
  };
  return relate(texts(parent), texts(child));
}
