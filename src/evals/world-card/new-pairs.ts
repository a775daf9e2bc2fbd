/** Sentences in which a subject does what it never does in training. */
import { isFunctionVerb, type Sentence } from '../../world/meaning.ts';
import type { World, WorldDocument } from '../../world/world.ts';

export interface NewPair {
  readonly document: WorldDocument;
  readonly subject: number;
  readonly verb: number;
  readonly object: number | undefined;
  /** Positions of subject and verb in the document, and the end of the sentence. */
  readonly subjectPosition: number;
  readonly position: number;
  readonly end: number;
}

/** Plain statements only, with a noun for the subject: nothing else in them than the pair can be new. */
export function newPairsOf(world: World, document: WorldDocument): NewPair[] {
  return document.sentences.flatMap((sentence, s) => {
    const start = document.starts[s];
    const end = document.starts[s + 1] ?? document.tokens.length;
    return newPairOf(world, document, sentence, start, end) ?? [];
  });
}

function newPairOf(
  world: World,
  document: WorldDocument,
  { form, clause, second }: Sentence,
  start: number,
  end: number,
): NewPair | undefined {
  const { subject, verb, object, negative } = clause;
  if (form !== 'plain' || !subject?.noun || isFunctionVerb(verb) || second || negative) return undefined;
  if (!world.pairs.isHeldOut(subject.referent, verb.concept)) return undefined;
  const mentions = document.mentions.subarray(start, end);
  return {
    document,
    subject: subject.referent,
    verb: verb.concept,
    object: object?.noun?.concept,
    subjectPosition: start + mentions.indexOf(subject.noun.slot),
    position: start + mentions.indexOf(verb.slot),
    end,
  };
}
