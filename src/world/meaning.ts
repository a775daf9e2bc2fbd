/** What sentences say, before any language puts it into words. */

/** A concept that is said. The same `slot` in several languages is the same mention. */
export interface Said {
  readonly concept: number;
  readonly slot: number;
}

export type Pronoun = 'he' | 'she' | 'it';

/** A noun phrase. */
export interface Mention {
  /** Absent for a pronoun. */
  readonly noun?: Said;
  /** Who or what is meant; for "the animal" said of a dog, the dog. */
  readonly referent: number;
  readonly definite: boolean;
  /** Said without a number or an indefinite article: milk, gold, red. */
  readonly isMass: boolean;
  readonly pronoun: Pronoun;
  readonly adjective?: Said;
  /** "the colour of the apple" */
  readonly of?: Mention;
}

/** Verbs and relations that every language has a function word for. */
export type FunctionVerb = 'is' | 'has' | 'contains' | 'made';
export type Relation = 'in' | 'on' | 'at' | 'with' | 'to' | 'of';

export interface Oblique {
  readonly relation: Relation;
  readonly noun: Mention;
}

export interface Clause {
  /** Absent when it is asked for. */
  readonly subject?: Mention;
  readonly verb: Said | FunctionVerb;
  readonly negative?: boolean;
  readonly object?: Mention;
  /** After *is*: a property, or a kind. */
  readonly quality?: Said;
  readonly kind?: Mention;
  readonly obliques?: readonly Oblique[];
  readonly manner?: Said;
}

/**
 * - `plain`: a statement;
 * - `who`: the question for the subject;
 * - `where`: the question for the place;
 * - `there`: "there is a dog in the garden";
 * - `rule`: "who bakes also cooks".
 */
export type SentenceForm = 'plain' | 'who' | 'where' | 'there' | 'rule';

export interface Sentence {
  readonly form: SentenceForm;
  readonly clause: Clause;
  readonly time?: Said;
  /** A second action of the same subject; under `rule`, the one that follows. */
  readonly second?: Said;
  /** Property of the subject that is the reason. */
  readonly because?: Said;
  /** What is said, after a verb of saying. */
  readonly reported?: Clause;
}

export const isFunctionVerb = (verb: Said | FunctionVerb): verb is FunctionVerb => typeof verb === 'string';

/** Pairs (subject concept, action) of a sentence, whoever the subject is called. */
export function pairsOf(sentence: Sentence): [subject: number, verb: number][] {
  const pairs: [number, number][] = [];
  for (const clause of [sentence.clause, sentence.reported]) {
    if (!clause?.subject || isFunctionVerb(clause.verb)) continue;
    pairs.push([clause.subject.referent, clause.verb.concept]);
    if (clause === sentence.clause && sentence.second) pairs.push([clause.subject.referent, sentence.second.concept]);
  }
  return pairs;
}

const PRONOUN = -3;
const VERBS = { is: -10, has: -11, contains: -12, made: -13 } as const;
const FORMS = { plain: 0, who: 1, where: 2, there: 3, rule: 4 } as const;
const RELATIONS = { in: 0, on: 1, at: 2, with: 3, to: 4, of: 5 } as const;

/**
 * Hash of what a sentence says, as a number in [0, 1). Two sentences of the same words, in whatever language, have the same
 * hash: concepts count by `same`, which unites those that share a word; pronouns are all one; articles do not count.
 * @param same `[concepts]` representative of the concepts that some word of some language stands for
 */
export function hashMeaning(sentence: Sentence, same: Int32Array, seed: number): number {
  let state = mix(seed ^ 0x5bd1e995, FORMS[sentence.form]);
  const add = (value: number): void => {
    state = mix(state, value);
  };
  const addSaid = (said: Said | undefined): void => add(said ? same[said.concept] : -1);
  const addMention = (mention: Mention | undefined): void => {
    if (!mention) return add(-2);
    add(mention.noun ? same[mention.noun.concept] : PRONOUN);
    addSaid(mention.adjective);
    if (mention.of) addMention(mention.of);
  };
  const addClause = (clause: Clause): void => {
    add(isFunctionVerb(clause.verb) ? VERBS[clause.verb] : same[clause.verb.concept]);
    add(clause.negative ? 1 : 0);
    addMention(clause.subject);
    addMention(clause.object);
    addMention(clause.kind);
    addSaid(clause.quality);
    addSaid(clause.manner);
    for (const { relation, noun } of clause.obliques ?? []) {
      add(RELATIONS[relation]);
      addMention(noun);
    }
  };
  addClause(sentence.clause);
  addSaid(sentence.time);
  addSaid(sentence.second);
  addSaid(sentence.because);
  if (sentence.reported) addClause(sentence.reported);
  return finish(state) / 0x100000000;
}

function mix(state: number, value: number): number {
  let x = Math.imul(value + 0x7f4a7c15, 0xcc9e2d51);
  x = (x << 15) | (x >>> 17);
  x = state ^ Math.imul(x, 0x1b873593);
  return (Math.imul((x << 13) | (x >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
