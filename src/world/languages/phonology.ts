/** How invented words sound. */
import type { Random } from '../../core/random.ts';

export interface Phonology {
  readonly onsets: readonly string[];
  readonly vowels: readonly string[];
  /** Ends of a syllable. */
  readonly codas: readonly string[];
  /** Syllables of the shorter content words. */
  readonly syllables: number;
  /** Pronouns that this language does not tell from *it*. */
  readonly pronounsAlike: readonly ('he' | 'she')[];
}

const list = (text: string): string[] => text.split(' ');

/** Consonant and vowel in turn: *mirato*. */
export const OPEN_SYLLABLES: Phonology = {
  onsets: list('p t k m n l r s v h'),
  vowels: list('a e i o u'),
  codas: [''],
  syllables: 2,
  pronounsAlike: [],
};

/** Clusters at both ends: *grolst*. */
export const CLUSTERS: Phonology = {
  onsets: list('b d f g kr st gr dr fl sk tr bl shr v z sn'),
  vowels: list('a e i o u y'),
  codas: list('nd rk st lm ng sk x rt ld n k'),
  syllables: 1,
  pronounsAlike: ['he', 'she'],
};

export function drawWord({ onsets, vowels, codas }: Phonology, random: Random, syllables: number): string {
  let word = '';
  for (let i = 0; i < syllables; i++) {
    const last = i === syllables - 1;
    word += onsets[random.below(onsets.length)] + vowels[random.below(vowels.length)];
    if (last || random.below(3) === 0) word += codas[random.below(codas.length)];
  }
  return word;
}
