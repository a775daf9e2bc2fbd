/** What all hierarchy metrics agree on. */
import type { Families } from '../../forest/families.ts';

/** Rows that a pair or a family needs to be judged (MIN_SAMPLES of eval-HSAEs). */
export const MIN_SAMPLES = 10;
/** Pairs or families that a mean needs. */
export const MIN_ITEMS = 5;

/** The families that are judged. */
export interface JudgedFamilies {
  readonly families: Families;
  /** For definitions: of which forest. */
  readonly how: string;
}
