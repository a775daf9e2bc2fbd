/** Activations at the words of the world's text, with what each word says. */
import { Random } from '../../core/random.ts';
import type { LanguageModel } from '../../lm/model.ts';
import { siteName, type Site } from '../../lm/site.ts';
import { packTokens } from '../../lm/tokens.ts';
import type { WorldDocument } from '../../world/world.ts';

/** Words that say a concept, with the activations at every site. */
export interface WordActivations {
  readonly rows: number;
  /** [rows] */
  readonly tokens: Int32Array;
  readonly concepts: Int32Array;
  readonly languages: Uint8Array;
  /** [rows, d] by the name of the site. */
  readonly sites: ReadonlyMap<string, Float32Array>;
}

/** Which words of a document to take; all that say something by default. */
export type Choice = (document: WorldDocument, position: number) => boolean;

const BATCH = 64;

/**
 * @param perMeaning words at most of every pair (token, concept), the first that come: usual words do not crowd out rare ones
 */
export async function wordActivations(
  model: LanguageModel,
  sites: readonly Site[],
  documents: readonly WorldDocument[],
  perMeaning: number,
  choose: Choice = () => true,
): Promise<WordActivations> {
  const { d } = model.info;
  const taken = new Map<string, number>();
  const chosen = documents.map((document) =>
    [...document.tokens.keys()].filter((position) => {
      if (document.concepts[position] < 0 || !choose(document, position)) return false;
      const key = `${document.tokens[position]} ${document.concepts[position]}`;
      const before = taken.get(key) ?? 0;
      if (before === perMeaning) return false;
      taken.set(key, before + 1);
      return true;
    }),
  );
  const rows = chosen.reduce((total, { length }) => total + length, 0);
  const gather = (of: (document: WorldDocument) => ArrayLike<number>): number[] =>
    chosen.flatMap((positions, i) => positions.map((position) => of(documents[i])[position]));
  const activations = sites.map(() => new Float32Array(rows * d));
  const prefix = await model.prefix(sites);
  let row = 0;
  for (let start = 0; start < documents.length; start += BATCH) {
    const part = documents.slice(start, start + BATCH);
    const batch = packTokens(
      part.map(({ tokens }) => tokens),
      model.tokenizer.padId,
    );
    const read = await prefix.run(batch);
    for (let i = 0; i < part.length; i++) {
      for (const position of chosen[start + i]) {
        const at = (i * batch.length + position) * d;
        for (const [s, values] of read.entries()) activations[s].set(values.subarray(at, at + d), row * d);
        row++;
      }
    }
  }
  await prefix.release();
  return {
    rows,
    tokens: Int32Array.from(gather(({ tokens }) => tokens)),
    concepts: Int32Array.from(gather(({ concepts }) => concepts)),
    languages: Uint8Array.from(gather(({ languages }) => languages)),
    sites: new Map(sites.map((site, s) => [siteName(site), activations[s]])),
  };
}

/** The same words with a random vector for every token instead of activations, under the name `random`. */
export function withRandomVectors(words: WordActivations, d: number, seed: number): WordActivations {
  const values = new Float32Array(words.rows * d);
  for (const [row, token] of words.tokens.entries()) {
    const random = new Random(seed, 'random vector', token);
    for (let j = 0; j < d; j++) values[row * d + j] = random.normal();
  }
  return { ...words, sites: new Map([['random', values], ...words.sites]) };
}
