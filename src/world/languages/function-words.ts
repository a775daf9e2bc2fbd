/** Words without a concept: every language has its own for each, as far as its grammar uses them. */
export const FUNCTION_WORDS = {
  the: 'the',
  a: 'a',
  an: 'an',
  he: 'he',
  she: 'she',
  it: 'it',
  is: 'is',
  has: 'has',
  contains: 'contains',
  made: 'made',
  never: 'never',
  and: 'and',
  also: 'also',
  because: 'because',
  that: 'that',
  who: 'who',
  where: 'where',
  there: 'there',
  in: 'in',
  on: 'on',
  at: 'at',
  with: 'with',
  to: 'to',
  of: 'of',
} as const;

/** Particles of languages that mark what English leaves to word order: subject, object, question. */
const PARTICLES = ['subject', 'object', 'ask'] as const;

export type FunctionWord = keyof typeof FUNCTION_WORDS | (typeof PARTICLES)[number];

/** Function words that an invented language needs words for; neither has indefinite articles. */
export const INVENTED = {
  talori: functionWords('a', 'an', ...PARTICLES),
  krend: functionWords('a', 'an'),
} as const;

function functionWords(...without: readonly FunctionWord[]): FunctionWord[] {
  const all = [...(Object.keys(FUNCTION_WORDS) as FunctionWord[]), ...PARTICLES];
  return all.filter((word) => !without.includes(word));
}
