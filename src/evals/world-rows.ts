/** Activations of a language model on text of the world, with the concepts that every token says. */
import type { Codes } from '../core/codes.ts';
import { sliceRows } from '../core/codes.ts';
import { InputError } from '../core/errors.ts';
import type { LanguageModel } from '../lm/model.ts';
import type { Site } from '../lm/site.ts';
import { packTokens } from '../lm/tokens.ts';
import type { Split } from '../world/story.ts';
import type { World } from '../world/world.ts';
import type { TruthRows } from './truth-rows.ts';

/** Documents that go through the model at once: some 2 000 tokens. */
const DOCUMENTS = 56;

export interface WorldSample {
  readonly split: Split;
  readonly site: Site;
  /** Rows; they are kept in memory. */
  readonly rows: number;
}

/**
 * A concept is on at the tokens that name it or one of the concepts below it; the first token of every document is left out.
 * @throws InputError if the model was not made for this world's words
 */
export async function readWorldRows(
  model: LanguageModel,
  world: World,
  { split, site, rows: count }: WorldSample,
): Promise<TruthRows> {
  checkVocabulary(model, world);
  const { d } = model.info;
  const acts = new Float32Array(count * d);
  const rowPtr = new Uint32Array(count + 1);
  const concepts: number[] = [];
  const prefix = await model.prefix([site]);
  try {
    for (let row = 0, next = 0; row < count; next += DOCUMENTS) {
      const documents = Array.from({ length: DOCUMENTS }, (_, i) => world.document(split, next + i));
      const texts = documents.map(({ tokens }) => tokens.subarray(0, model.info.context ?? undefined));
      const batch = packTokens(texts, model.tokenizer.padId);
      const [all] = await prefix.run(batch);
      for (const [i, { length }] of texts.entries()) {
        const taken = Math.min(length - 1, count - row);
        const start = i * batch.length + 1;
        acts.set(all.subarray(start * d, (start + taken) * d), row * d);
        for (const concept of documents[i].concepts.subarray(1, 1 + taken)) {
          concepts.push(...world.chainOf(concept));
          rowPtr[++row] = concepts.length;
        }
      }
    }
  } finally {
    await prefix.release();
  }
  const index = Uint32Array.from(concepts);
  const truth: Codes = {
    rows: count,
    width: world.concepts.size,
    rowPtr,
    index,
    value: new Float32Array(index.length).fill(1),
  };
  return {
    d,
    count,
    truth: world.concepts,
    nameOf: (concept) => world.names[concept],
    async rows(start, size) {
      return { acts: acts.slice(start * d, (start + size) * d), truth: sliceRows(truth, start, start + size) };
    },
  };
}

/** Whether a model has the words of a world. */
export function speaksOf(model: LanguageModel, { vocabulary }: World): boolean {
  return vocabulary.every((word, id) => model.tokenizer.token(id) === word);
}

function checkVocabulary(model: LanguageModel, { vocabulary }: World): void {
  const foreign = vocabulary.findIndex((word, id) => model.tokenizer.token(id) !== word);
  if (foreign < 0) return;
  throw new InputError(
    `the model calls token ${foreign} "${model.tokenizer.token(foreign)}", in this world it is "${vocabulary[foreign]}"`,
    { where: model.folder, hint: 'use the model that was trained on this version of the world' },
  );
}
