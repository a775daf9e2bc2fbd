import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RowOrigins } from '../../../src/activations/source.ts';
import { Random } from '../../../src/core/random.ts';
import type { Device } from '../../../src/engine/device.ts';
import { ReferenceDevice } from '../../../src/engine/reference/device.ts';
import { evaluateAbsorption } from '../../../src/evals/absorption.ts';
import { readVocabulary } from '../../../src/evals/absorption/vocabulary.ts';
import { isTestWord } from '../../../src/evals/absorption/word-rows.ts';
import type { EvalContext, HarvestedModel } from '../../../src/evals/context.ts';
import { toJson } from '../../../src/evals/metric.ts';
import { wordsInPrompts } from '../../../src/evals/absorption/spelling-prompts.ts';
import { LanguageModel } from '../../../src/lm/model.ts';
import type { TokenBatch } from '../../../src/lm/tokens.ts';
import { describeWithShared } from '../../support/shared.ts';
import { axes, context, linearSae, memorySource, values } from '../support.ts';

let device: Device;
beforeAll(() => void (device = new ReferenceDevice()));
afterAll(() => device.close());

const tokenizerOf = (texts: readonly string[]) => ({ size: texts.length, token: (id: number) => texts[id] });

describe('vocabulary', () => {
  it('of SentencePiece and byte-level BPE: words begin with a space', () => {
    for (const space of ['▁', 'Ġ']) {
      const vocabulary = readVocabulary(
        tokenizerOf([`${space}tree`, 'tree', `${space}a`, `${space}tree2`, '.', space]),
      );
      expect([0, 1, 2, 3, 4, 5].map((id) => vocabulary.wordOf(id))).toEqual(['tree', ...Array(5).fill(undefined)]);
      expect([0, 1, 4].map((id) => vocabulary.continues(id))).toEqual([false, true, false]);
    }
  });

  it('of whole words, and of WordPiece', () => {
    const vocabulary = readVocabulary(tokenizerOf(['tree', '##top', '.', '[CLS]']));
    expect([0, 1, 2, 3].map((id) => vocabulary.wordOf(id))).toEqual(['tree', undefined, undefined, undefined]);
    expect([0, 1, 2].map((id) => vocabulary.continues(id))).toEqual([false, true, false]);
  });
});

/** Text in which activations tell whether a word ends with s, is capitalised, and which of four tokens stands before it. */
const BEFORE = ['.', 'Ġthe', 'Ġa', 'Ġto'];
const d = 12;
const [ENDS_WITH_S, CAPITALISED, SPECIAL, FIRST_BEFORE] = [0, 1, 2, 3];

interface Text {
  readonly tokens: readonly string[];
  readonly acts: Float32Array;
  readonly origins: RowOrigins;
  readonly special: ReadonlySet<string>;
}

function makeText(): Text {
  const random = new Random(4);
  const letters = 'bcfhjklmnpqrtvwxz';
  const stem = (): string =>
    Array.from({ length: 4 + random.below(4) }, () => letters[random.below(letters.length)]).join('');
  const words = Array.from({ length: 700 }, (_, i) => {
    const word = stem() + (i % 2 === 0 ? 's' : '');
    return i % 3 === 0 ? word[0].toUpperCase() + word.slice(1) : word;
  });
  const ofS = words.filter((word) => word.endsWith('s'));
  const test = ofS.filter((word) => isTestWord(word, 0));
  const train = ofS.filter((word) => !isTestWord(word, 0));
  // So few that no second latent is worth .03 of F1.
  const special = new Set([...test.slice(0, 2), ...train.slice(0, 6)]);
  const tokens = [...BEFORE, ...words.map((word) => `Ġ${word}`)];
  const rows = 4 * words.length;
  const acts = Float32Array.from({ length: rows * d }, () => 0.03 * random.normal());
  const ids = new Int32Array(rows);
  for (let i = 0; i < 2 * words.length; i++) {
    const word = words[i % words.length];
    const before = random.below(BEFORE.length);
    ids[2 * i] = before;
    ids[2 * i + 1] = BEFORE.length + (i % words.length);
    const at = (2 * i + 1) * d;
    if (word.endsWith('s')) acts[at + ENDS_WITH_S] += 1;
    if (word[0] !== word[0].toLowerCase()) acts[at + CAPITALISED] += 1;
    if (special.has(word)) acts[at + SPECIAL] += 1;
    acts[at + FIRST_BEFORE + before] += 1;
  }
  const of = (value: (row: number) => number): Int32Array => Int32Array.from({ length: rows }, (_, row) => value(row));
  return { tokens, acts, special, origins: { tokens: ids, pos: of((row) => row % 40), doc: of((row) => row / 40) } };
}

const harvested = (model: unknown): HarvestedModel => {
  return { model: model as LanguageModel, layer: 0, hook: 'resid_post', bosId: null, dropped: [], packed: false };
};

describe('words in text', () => {
  const text = makeText();
  const source = memorySource(text.acts, d, text.origins);
  const model = harvested({ tokenizer: tokenizerOf(text.tokens), info: { d, layers: 1 } });
  const changes: Partial<EvalContext> = { model, batchRows: 300 };
  const axis = (j: number, value = 1): Float32Array =>
    Float32Array.from({ length: d }, (_, i) => (i === j ? value : 0));

  it('of an SAE with a latent for every property: no absorption, nothing is split', async () => {
    const { metrics, skipped } = await evaluateAbsorption(
      context(device, linearSae(device, d, axes(d), axes(d)), source, changes),
    );
    expect(metrics.absorption_full).toMatchObject({ value: 0, n: 6 });
    expect(metrics.absorption_full.definition).toMatch(/is capitalised, ends with -s(, follows (\.|Ġ(the|a|to))){4}\)/);
    expect(metrics.absorption_full.definition).toContain('letters only, 20 are needed');
    expect(metrics.absorption_fraction.value).toBeLessThan(0.02);
    expect(metrics.split_features.value).toBe(1);
    expect(metrics.split_f1.value).toBeGreaterThan(0.95);
    expect(metrics.probe_f1.value).toBeGreaterThan(0.95);
    expect(skipped.truth_absorption_rate).toContain('nobody knows');
  });

  it('of one in which a latent for special words has absorbed their ending: as many as there are', async () => {
    const W = axes(d);
    const decoder = axes(d);
    W.set(axis(ENDS_WITH_S), 0);
    // The noise must not turn it on.
    W[SPECIAL] = -2;
    decoder[SPECIAL * d + ENDS_WITH_S] = 1;
    const absorbing = linearSae(device, d, W, decoder);
    const { metrics } = await evaluateAbsorption(context(device, absorbing, source, changes));
    const tested = text.tokens.slice(BEFORE.length).map((token) => token.slice(1));
    const ofS = tested.filter((word) => word.endsWith('s') && isTestWord(word, 0));
    const share = ofS.filter((word) => text.special.has(word)).length / ofS.length;
    expect(share).toBeGreaterThan(0.02);
    expect(metrics.split_features.value).toBe(1);
    expect(metrics.absorption_full.value! * 6).toBeCloseTo(share, 2);
    expect(metrics.absorption_fraction.value! * 6).toBeGreaterThan(share - 0.01);
  });

  it('depends neither on the batch nor on the order of the latents', async () => {
    const random = new Random(9);
    const width = 20;
    const W = Array.from({ length: width }, () => Array.from({ length: d }, () => random.normal()));
    const measure = async (order: readonly number[], batchRows: number) => {
      const rows = order.flatMap((i) => W[i]);
      return evaluateAbsorption(context(device, linearSae(device, d, rows, rows), source, { ...changes, batchRows }));
    };
    const order = Array.from({ length: width }, (_, i) => i);
    const reference = await measure(order, 64);
    expect(toJson(await measure(order, 1000))).toEqual(toJson(reference));
    const turned = await measure(order.toReversed(), 64);
    for (const [name, value] of Object.entries(values(reference.metrics)))
      expect(turned.metrics[name].value).toBeCloseTo(value!, 9);
  });

  it('says why nothing can be told from activations that know nothing', async () => {
    const random = new Random(2);
    const noise = memorySource(
      text.acts.map(() => random.normal()),
      d,
      text.origins,
    );
    const { metrics } = await evaluateAbsorption(
      context(device, linearSae(device, d, axes(d), axes(d)), noise, changes),
    );
    expect(metrics.absorption_full).toMatchObject({ value: null, low: null });
    expect(metrics.absorption_full.insufficient).toMatch(
      /^no set of word properties .*first letter: \d+ of 26 .*: too few probes/,
    );
  });
});

const release = async (): Promise<void> => {};

/** A model that knows only spelling: activations are one-hot in the first letter, and it answers the prompt, or always A. */
function spellingModel(isAble: boolean): HarvestedModel {
  const random = new Random(6);
  const alphabet = 'abcdefghijklmnopqrstuvwxyz';
  const words = [...alphabet].flatMap((letter) =>
    Array.from({ length: 60 }, () => letter + Array.from({ length: 6 }, () => alphabet[random.below(26)]).join('')),
  );
  const texts = ['a', ':', '\n', ...['has', 'the', 'first', 'letter'].map((word) => ` ${word}`)]
    .concat([...alphabet].map((letter) => ` ${letter.toUpperCase()}`))
    .concat(words.map((word) => ` ${word}`));
  const ids = new Map(texts.map((text, id) => [text, id]));
  const encode = (text: string): Int32Array =>
    Int32Array.from(text.match(/ ?[A-Za-z]+|:|\n/g) ?? [], (part) => ids.get(part)!);
  const letterOf = (id: number): number => alphabet.indexOf(texts[id].trim()[0]?.toLowerCase() ?? '');
  const size = texts.length;
  const tokenizer = {
    size,
    padId: 0,
    token: (id: number) => texts[id].replace(' ', 'Ġ'),
    encode,
    encodeDocument: encode,
  };
  const prefix = async () => ({
    release,
    run: async ({ n, length, ids }: TokenBatch) => {
      const x = new Float32Array(n * length * 26);
      for (let i = 0; i < n * length; i++) {
        for (let j = 0; j < 26; j++) x[i * 26 + j] = 0.05 * random.normal();
        const letter = letterOf(Number(ids[i]));
        if (letter >= 0) x[i * 26 + letter] += 1;
      }
      return [x];
    },
  });
  const suffix = async () => ({
    release,
    run: async ({ n, length, ids: batch }: TokenBatch) => {
      const logits = new Float32Array(n * length * size);
      for (let i = 5; i < n * length; i++) {
        const letter = isAble ? letterOf(Number(batch[i - 5])) : 0;
        if (letter >= 0) logits[i * size + ids.get(` ${alphabet[letter].toUpperCase()}`)!] = 1;
      }
      return logits;
    },
  });
  return harvested({ tokenizer, prefix, suffix, info: { d: 26, layers: 1, vocab: size, context: 256 } });
}

describe('words in prompts', () => {
  const source = memorySource(new Float32Array(26), 26);

  it('are used where the model can answer', async () => {
    const sae = linearSae(device, 26, axes(26), axes(26));
    const { metrics } = await evaluateAbsorption(context(device, sae, source, { model: spellingModel(true) }));
    expect(metrics.absorption_full).toMatchObject({ value: 0, n: 25 });
    expect(metrics.absorption_full.definition).toContain("SAEBench's prompts with ten examples, read at the word");
    expect(metrics.absorption_full.definition).toContain('property set: first letter (25 of 26');
    expect(metrics.split_features.value).toBe(1);
  });

  it('are not where it cannot', async () => {
    const sae = linearSae(device, 26, axes(26), axes(26));
    const { metrics, skipped } = await evaluateAbsorption(
      context(device, sae, source, { model: spellingModel(false) }),
    );
    expect(metrics).toEqual({});
    expect(skipped.absorption_full).toBe('the activations were not harvested from a language model');
  });
});

describeWithShared('lm/stories3m', 'words in prompts of a small real model', (path) => {
  it('cannot be used: its answers do not tell the letters apart', async () => {
    const model = await LanguageModel.open(path);
    const vocabulary = readVocabulary(model.tokenizer);
    const reason = await wordsInPrompts({ ...harvested(model), layer: 2 }, vocabulary, 0, () => {});
    expect(reason).toBe('the vocabulary has no tokens that tell the 26 letters apart');
    const words = Array.from({ length: model.tokenizer.size }, (_, token) => vocabulary.wordOf(token)).filter(Boolean);
    expect(words).toContain('princess');
    expect(words.length).toBeGreaterThan(2000);
  });
});
