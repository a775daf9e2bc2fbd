/** Activations of a language model on text of the world, with the concepts that every token says. */
import type { Codes } from '../core/codes.ts';
import { InputError } from '../core/errors.ts';
import type { LanguageModel } from '../lm/model.ts';
import type { Prefix } from '../lm/parts.ts';
import type { Site } from '../lm/site.ts';
import type { Split } from '../world/story.ts';
import type { World, WorldDocument } from '../world/world.ts';
import { activationsOf } from './sequence-activations.ts';
import type { TruthRows } from './truth-rows.ts';

/** Documents that go through the model at once: some 2 000 tokens. */
const DOCUMENTS = 56;
/** Bytes of activations that stay in memory: 100 000 rows of the embedded model are made once, however often they are read. */
const KEPT_BYTES = 2 ** 26;

export interface WorldSample {
  readonly split: Split;
  readonly site: Site;
  readonly rows: number;
  /** Activations that stay in memory beside the last block: 64 MiB. */
  readonly keptBytes?: number;
}

/**
 * A concept is on at the tokens that name it or one of the concepts below it; the first token of every document is left out. Rows are
 * made when they are read: memory does not grow with their number, and reading on from where the last rows ended costs no detour.
 * @throws InputError if the model was not made for this world's words
 */
export async function readWorldRows(model: LanguageModel, world: World, sample: WorldSample): Promise<TruthRows> {
  checkVocabulary(model, world);
  const blocks = new Blocks(model, world, sample);
  const { d } = model.info;
  return {
    d,
    count: sample.rows,
    truth: world.concepts,
    nameOf: (concept) => world.names[concept],
    async rows(start, count) {
      const acts = new Float32Array(count * d);
      const concepts = new Int32Array(count);
      let filled = 0;
      for (let block = blocks.holding(start); filled < count; block++) {
        const { first, ...all } = await blocks.read(block);
        const from = start + filled - first;
        const to = Math.min(all.concepts.length, start + count - first);
        acts.set(all.acts.subarray(from * d, to * d), filled * d);
        concepts.set(all.concepts.subarray(from, to), filled);
        filled += to - from;
      }
      return { acts, truth: chains(world, concepts) };
    },
  };
}

/** The rows of {@link DOCUMENTS} neighbouring documents. */
interface Block {
  /** Number of its first row. */
  readonly first: number;
  /** [rows, d] */
  readonly acts: Float32Array;
  /** `[rows]` deepest concept that each token says, −1 for none. */
  readonly concepts: Int32Array;
}

class Blocks {
  readonly #model: LanguageModel;
  readonly #world: World;
  readonly #sample: WorldSample;
  /** First row of every block that was reached, and of the one after. */
  readonly #first = [0];
  /** The first blocks that were read, and after them the last one. */
  readonly #kept = new Map<number, Block>();
  #keptBytes = 0;
  #last: { readonly number: number; readonly block: Block } | undefined;
  #prefix: Promise<Prefix> | undefined;

  constructor(model: LanguageModel, world: World, sample: WorldSample) {
    this.#model = model;
    this.#world = world;
    this.#sample = sample;
  }

  /** Number of the block with a row. Documents that were not reached yet have to be told, but not read by the model. */
  holding(row: number): number {
    while (this.#first.at(-1)! < row) this.#reach(this.#first.length - 1, this.#documents(this.#first.length - 1));
    return this.#first.findLastIndex((first) => first <= row);
  }

  async read(number: number): Promise<Block> {
    const kept = this.#kept.get(number);
    if (kept) return kept;
    if (this.#last?.number === number) return this.#last.block;
    const documents = this.#documents(number);
    this.#reach(number, documents);
    const block = await this.#run(documents, this.#first[number]);
    if (this.#keptBytes + block.acts.byteLength <= (this.#sample.keptBytes ?? KEPT_BYTES)) {
      this.#kept.set(number, block);
      this.#keptBytes += block.acts.byteLength;
    } else this.#last = { number, block };
    return block;
  }

  #documents(number: number): WorldDocument[] {
    return Array.from({ length: DOCUMENTS }, (_, i) =>
      this.#world.document(this.#sample.split, number * DOCUMENTS + i),
    );
  }

  #reach(number: number, documents: readonly WorldDocument[]): void {
    const rows = documents.reduce((sum, { tokens }) => sum + this.#text(tokens).length - 1, 0);
    this.#first[number + 1] = this.#first[number] + rows;
  }

  #text(tokens: Int32Array): Int32Array {
    return tokens.subarray(0, this.#model.info.context ?? undefined);
  }

  async #run(documents: readonly WorldDocument[], first: number): Promise<Block> {
    const { info, tokenizer } = this.#model;
    const { d } = info;
    this.#prefix ??= this.#model.prefix([this.#sample.site]);
    const texts = documents.map(({ tokens }) => this.#text(tokens));
    const all = await activationsOf(await this.#prefix, texts, tokenizer.padId);
    const rows = texts.reduce((sum, { length }) => sum + length - 1, 0);
    const block = { first, acts: new Float32Array(rows * d), concepts: new Int32Array(rows) };
    let row = 0;
    for (const [i, { length }] of texts.entries()) {
      block.acts.set(all[i].subarray(d), row * d);
      block.concepts.set(documents[i].concepts.subarray(1, length), row);
      row += length - 1;
    }
    return block;
  }
}

/** Codes `[rows, concepts]` of the concept at each row and all above it. */
export function chains(world: World, concepts: Int32Array): Codes {
  const rowPtr = new Uint32Array(concepts.length + 1);
  const on: number[] = [];
  concepts.forEach((concept, row) => {
    on.push(...world.chainOf(concept));
    rowPtr[row + 1] = on.length;
  });
  const index = Uint32Array.from(on);
  return {
    rows: concepts.length,
    width: world.concepts.size,
    rowPtr,
    index,
    value: new Float32Array(index.length).fill(1),
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
