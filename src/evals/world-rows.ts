/** Activations of a language model on text of the world, with the concepts that every token says. */
import { InputError } from '../core/errors.ts';
import type { Forest } from '../forest/forest.ts';
import type { LanguageModel } from '../lm/model.ts';
import type { Prefix } from '../lm/parts.ts';
import type { Site } from '../lm/site.ts';
import { packTokens } from '../lm/tokens.ts';
import type { Split } from '../world/story.ts';
import type { World, WorldDocument } from '../world/world.ts';
import type { TruthBatch, TruthRows } from './truth-rows.ts';

/** Documents that go through the model at once: some 2 000 tokens. */
const DOCUMENTS = 56;

/** A concept is on at the tokens that name it or one of the concepts below it; the first token of a document is left out. */
export class WorldRows implements TruthRows {
  readonly d: number;
  readonly truth: Forest;
  readonly names: readonly string[];
  readonly #world: World;
  readonly #split: Split;
  readonly #model: LanguageModel;
  readonly #site: Site;

  /** @throws InputError if the model was not made for this world's words */
  constructor(model: LanguageModel, world: World, split: Split, site: Site) {
    const { vocabulary } = world;
    const foreign = vocabulary.findIndex((word, id) => model.tokenizer.token(id) !== word);
    if (foreign >= 0) {
      throw new InputError(
        `the model calls token ${foreign} "${model.tokenizer.token(foreign)}", in this world it is "${vocabulary[foreign]}"`,
        { where: model.folder, hint: 'use the model that was trained on this version of the world' },
      );
    }
    this.d = model.info.d;
    this.truth = world.concepts;
    this.names = world.names;
    this.#world = world;
    this.#split = split;
    this.#model = model;
    this.#site = site;
  }

  async *batches(rows: number): AsyncGenerator<TruthBatch> {
    const prefix = await this.#model.prefix([this.#site]);
    try {
      for (let done = 0, next = 0; done < rows; next += DOCUMENTS) {
        const documents = Array.from({ length: DOCUMENTS }, (_, i) => this.#world.document(this.#split, next + i));
        const batch = await this.#run(prefix, documents);
        done += batch.rows;
        yield batch;
      }
    } finally {
      await prefix.release();
    }
  }

  async #run(prefix: Prefix, documents: readonly WorldDocument[]): Promise<TruthBatch> {
    const { d } = this;
    const context = this.#model.info.context ?? Infinity;
    const texts = documents.map(({ tokens }) => tokens.subarray(0, context));
    const batch = packTokens(texts, this.#model.tokenizer.padId);
    const [all] = await prefix.run(batch);
    const rows = texts.reduce((sum, { length }) => sum + length - 1, 0);
    const acts = new Float32Array(rows * d);
    const rowPtr = new Uint32Array(rows + 1);
    const feature: number[] = [];
    let row = 0;
    for (const [i, { length }] of texts.entries()) {
      const start = i * batch.length + 1;
      acts.set(all.subarray(start * d, (start + length - 1) * d), row * d);
      for (let t = 1; t < length; t++) {
        for (const concept of this.#world.chainOf(documents[i].concepts[t])) feature.push(concept);
        rowPtr[++row] = feature.length;
      }
    }
    return { rows, acts, rowPtr, feature: Uint32Array.from(feature) };
  }
}
