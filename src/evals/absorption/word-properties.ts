/** Sets of properties of words in their place that a model's activation at the word may tell. */

/** A word where it stands. */
export interface Occurrence {
  /** ASCII letters, its case as written. */
  readonly word: string;
  /** Token before it as the vocabulary writes it; undefined at the beginning. */
  readonly before: string | undefined;
}

export interface WordProperty {
  /** Such as `begins with s`. */
  readonly name: string;
  has(occurrence: Occurrence): boolean;
}

export interface PropertySet {
  /** For definitions. */
  readonly name: string;
  readonly properties: readonly WordProperty[];
  /** Properties that a probe must tell for the set to be used. */
  readonly least: number;
}

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];
const ENDINGS = ['s', 'd', 'g', 'y', 'ed', 'ing', 'ly', 'er'];
const LENGTHS = [2, 3, 4, 5, 6, 7];
/** Tokens before a word that are told apart. */
const NEIGHBOURS = 16;

const spelled = (name: string, has: (lower: string) => boolean): WordProperty => {
  return { name, has: ({ word }) => has(word.toLowerCase()) };
};

/** SAEBench asks for 20 of the 26 letters. */
export const FIRST_LETTER: PropertySet = {
  name: 'first letter',
  properties: LETTERS.map((letter) => spelled(`begins with ${letter}`, (word) => word.startsWith(letter))),
  least: 20,
};

const LAST_LETTER: PropertySet = {
  name: 'last letter',
  properties: LETTERS.map((letter) => spelled(`ends with ${letter}`, (word) => word.endsWith(letter))),
  least: 12,
};

/**
 * In the order in which they are tried: the published one first, at the end what small models know as well. Rare words of small text
 * share too few letters, but most models tell a word's form and what stands before it.
 */
export function propertySets(occurrences: readonly Occurrence[]): PropertySet[] {
  const form: WordProperty[] = [
    { name: 'is capitalised', has: ({ word }) => word[0] !== word[0].toLowerCase() },
    ...ENDINGS.map((ending) =>
      spelled(`ends with -${ending}`, (word) => word.length > ending.length + 2 && word.endsWith(ending)),
    ),
    ...LENGTHS.map((length) => spelled(`has ${length} letters`, (word) => word.length === length)),
    spelled('has 8 letters or more', (word) => word.length >= 8),
  ];
  const neighbours = commonest(occurrences).map((token): WordProperty => {
    return { name: `follows ${token}`, has: ({ before }) => before === token };
  });
  return [
    FIRST_LETTER,
    LAST_LETTER,
    { name: 'form of the word and the token before it', properties: [...form, ...neighbours], least: 4 },
  ];
}

/** Tokens that words most often follow, the first in the alphabet of equal ones. */
function commonest(occurrences: readonly Occurrence[]): string[] {
  const counts = new Map<string, number>();
  for (const { before } of occurrences) if (before !== undefined) counts.set(before, (counts.get(before) ?? 0) + 1);
  const order = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return order.slice(0, NEIGHBOURS).map(([token]) => token);
}
