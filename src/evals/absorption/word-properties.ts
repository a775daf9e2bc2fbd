/** Sets of properties that the spelling of a word decides, and that a model's activation at the word may tell. */

export interface WordProperty {
  /** Such as `begins with s`. */
  readonly name: string;
  /** @param word ASCII letters, its case as written */
  has(word: string): boolean;
}

export interface PropertySet {
  /** For definitions. */
  readonly name: string;
  readonly properties: readonly WordProperty[];
  /** Properties of the set that a probe must tell for the set to be used. */
  readonly least: number;
}

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];
const ENDINGS = ['s', 'ed', 'ing', 'ly', 'er', 'y', 'en', 'es', 'le', 'e', 't', 'n', 'd'];

const lower = (name: string, has: (word: string) => boolean): WordProperty => {
  return { name, has: (word) => has(word.toLowerCase()) };
};

/** SAEBench asks for 20 of the 26 letters. */
export const FIRST_LETTER: PropertySet = {
  name: 'first letter',
  properties: LETTERS.map((letter) => lower(`begins with ${letter}`, (word) => word.startsWith(letter))),
  least: 20,
};

/** In the order in which they are tried: the published one first. Those of fewer properties need fewer, but three quarters. */
export const PROPERTY_SETS: readonly PropertySet[] = [
  FIRST_LETTER,
  {
    name: 'last letter',
    properties: LETTERS.map((letter) => lower(`ends with ${letter}`, (word) => word.endsWith(letter))),
    least: 12,
  },
  {
    name: 'form',
    properties: [
      { name: 'is capitalised', has: (word) => word[0] !== word[0].toLowerCase() },
      ...ENDINGS.map((ending) => lower(`ends with -${ending}`, (word) => word.length > ending.length + 2 && word.endsWith(ending))),
      ...[2, 3, 4, 5, 6, 7].map((length) => lower(`has ${length} letters`, (word) => word.length === length)),
      lower('has 8 letters or more', (word) => word.length >= 8),
    ],
    least: 5,
  },
];
