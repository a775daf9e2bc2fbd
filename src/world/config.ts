/** The knobs of the world. Configuration and seed determine every word of every document. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { parseConfig } from '../core/config.ts';

const share = z.number().min(0).max(1);

export const worldSchema = z
  .strictObject({
    seed: z.int().min(0).default(0).describe('names the world: words of the invented languages, tastes, stories'),
    depth: z
      .int()
      .min(1)
      .max(8)
      .nullable()
      .default(null)
      .describe(
        'deepest concept below the roots; deeper ones are cut away, and below leaves that lie higher, beings and things get invented sub-kinds. null = the written taxonomy (5)',
      ),
    branching: z
      .int()
      .min(1)
      .max(32)
      .nullable()
      .default(null)
      .describe(
        'most children of a concept, the usual ones first, and number of invented sub-kinds. null = as written; 2',
      ),
    frequencySkew: z
      .number()
      .min(0)
      .max(4)
      .default(0.7)
      .describe('Zipf exponent among siblings, at every level: large = many rare words'),
    tastes: z
      .number()
      .min(1)
      .max(100)
      .default(4)
      .describe(
        'how much more often a leaf does what it likes best than what its kind does; 1 = siblings behave alike',
      ),
    noise: share.default(0.01).describe('share of nouns and adjectives drawn from all, whatever the restrictions say'),
    languageShares: z
      .array(z.number().min(0))
      .length(3)
      .refine((shares) => shares.some((s) => s > 0), { error: 'at least one language must have a share' })
      .default([1, 1, 1])
      .describe('relative frequencies of the three languages'),
    switching: share.default(0.1).describe('share of documents whose sentences change the language'),
    borrowing: share.default(0.1).describe('share of documents that borrow nouns from another language'),
    synonyms: share.default(0.06).describe('share of concepts with two words, in each invented language'),
    homonyms: share
      .default(0.06)
      .describe('share of concepts that share their word with another, in each invented language'),
    falseFriends: share
      .default(0.04)
      .describe('share of words of an invented language that mean something else in another language'),
    hypernyms: share.default(0.15).describe('share of noun phrases that say a kind above: "the animal" for the dog'),
    entries: share.default(0.15).describe('share of documents that describe a kind instead of telling a story'),
    minSentences: z.int().min(1).max(64).default(3).describe('sentences of the shortest document'),
    maxSentences: z.int().min(1).max(64).default(8).describe('sentences of the longest document'),
    heldOutSentences: share
      .max(0.5)
      .default(0.1)
      .describe('share of all sentences that never occur in training, chosen by what they say'),
    heldOutPairs: share
      .max(0.5)
      .default(0.08)
      .describe('share of the pairs (leaf concept as subject, action) that never occur in training'),
  })
  .refine((c) => c.minSentences <= c.maxSentences, { error: 'minSentences must not exceed maxSentences' })
  .refine((c) => c.switching + c.borrowing <= 1, { error: 'switching + borrowing must not exceed 1' });

export type WorldConfig = z.output<typeof worldSchema>;

/** Raised when the same configuration begins to yield other text. */
export const WORLD_VERSION = 1;

/** @throws ConfigError */
export function parseWorldConfig(settings: z.input<typeof worldSchema> = {}): WorldConfig {
  return parseConfig(worldSchema, settings, 'world');
}

/** Identity of a world's text: sha256 of version and configuration. */
export function hashOf(config: WorldConfig): string {
  return createHash('sha256')
    .update(JSON.stringify({ version: WORLD_VERSION, ...config }))
    .digest('hex');
}
