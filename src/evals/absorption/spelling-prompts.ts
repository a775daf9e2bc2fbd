/**
 * SAEBench's prompts (methods 7.2, step 1): ten other words with their first letters, then the word. The activation is read at the word,
 * where a model that goes on with the right letter has reason to know it.
 *
 *   ␣tree has the first letter: T⏎ … ␣word has the first letter:
 */
import { Random } from '../../core/random.ts';
import type { LanguageModel } from '../../lm/model.ts';
import type { Hook, Site } from '../../lm/site.ts';
import { packTokens } from '../../lm/tokens.ts';
import type { HarvestedModel } from '../context.ts';
import type { Vocabulary } from './vocabulary.ts';
import { isTestWord, wordRows, type WordRows } from './word-rows.ts';

const EXAMPLES = 10;
/** SAEBench takes the whole vocabulary; more words of a letter would take hours without a GPU. */
const WORDS_PER_LETTER = 100;
/** Words on which the model is asked for the letter, and the share that it must get right: chance is 1/26. */
const ASKED = 100;
const LEAST_RIGHT = 0.5;
/** Letters that must have words, and how many. */
const LEAST = { letters: 20, words: 25 };
/** Tokens that go through the model at once, and logits. */
const BATCH_TOKENS = 2048;
const BATCH_LOGITS = 2 ** 23;

interface Prompt {
  readonly word: string;
  /** With BOS if the model uses one. */
  readonly tokens: Int32Array;
  /** Of the word. */
  readonly position: number;
}

/** @returns why the protocol cannot be used with the model: it has to be able to answer */
export async function wordsInPrompts(
  { model, layer, hook }: HarvestedModel,
  vocabulary: Vocabulary,
  seed: number,
  onProgress: (done: number, total: number) => void,
): Promise<WordRows | string> {
  const words = sampleWords(model, vocabulary, seed);
  const letters = [...words.values()].filter(({ length }) => length >= LEAST.words).length;
  if (letters < LEAST.letters) {
    return `the vocabulary has ${LEAST.words} words with a token of their own for ${letters} letters only, ${LEAST.letters} are needed`;
  }
  const answers = letterTokens(model);
  if (typeof answers === 'string') return answers;
  const all = [...words.values()].flat();
  const examples = all.filter(({ word }) => !isTestWord(word, seed));
  const prompts = all.flatMap(({ word, token }) => makePrompt(model, vocabulary, examples, word, token, seed) ?? []);
  const longest = prompts.reduce((most, { tokens }) => Math.max(most, tokens.length), 0);
  const { context } = model.info;
  if (context !== null && longest > context) return `prompts of ${longest} tokens are longer than the model's context`;
  const share = await shareOfRightAnswers(model, answers, spread(prompts, ASKED));
  if (share < LEAST_RIGHT) {
    return `asked for the first letter of ${Math.min(ASKED, prompts.length)} words, the model names ${Math.round(100 * share)} % of them`;
  }
  const x = await readActivations(model, { layer, hook: hook as Hook }, prompts, onProgress);
  return wordRows(
    x,
    model.info.d,
    prompts.map(({ word }) => ({ word, before: undefined })),
    seed,
  );
}

interface WordToken {
  readonly word: string;
  readonly token: number;
}

/** Words by their letter, in a random order, each spelling once. */
function sampleWords({ tokenizer }: LanguageModel, vocabulary: Vocabulary, seed: number): Map<string, WordToken[]> {
  const order = (word: string): number => new Random(seed, 'evals', 'absorption', 'word', word).uniform();
  const byWord = new Map<string, WordToken>();
  for (let token = 0; token < tokenizer.size; token++) {
    const word = vocabulary.wordOf(token);
    if (word !== undefined && !byWord.has(word)) byWord.set(word, { word, token });
  }
  const byLetter = new Map<string, WordToken[]>();
  const shuffled = [...byWord.values()]
    .map((entry) => ({ ...entry, at: order(entry.word) }))
    .sort((a, b) => a.at - b.at);
  for (const { word, token } of shuffled) {
    const letter = word[0].toLowerCase();
    const list = byLetter.get(letter) ?? [];
    byLetter.set(letter, list);
    if (list.length < WORDS_PER_LETTER) list.push({ word, token });
  }
  return byLetter;
}

/** Undefined where the tokenizer writes the word in another way inside the prompt. */
function makePrompt(
  { tokenizer }: LanguageModel,
  { marksBeginnings }: Vocabulary,
  examples: readonly WordToken[],
  word: string,
  token: number,
  seed: number,
): Prompt | undefined {
  const random = new Random(seed, 'evals', 'absorption', 'examples', word);
  const chosen = new Set<string>();
  const others = examples.length - (examples.some((example) => example.word === word) ? 1 : 0);
  while (chosen.size < Math.min(EXAMPLES, others)) {
    const example = examples[random.below(examples.length)].word;
    if (example !== word) chosen.add(example);
  }
  const space = marksBeginnings ? ' ' : '';
  const ask = (asked: string): string => `${space}${asked} has the first letter:`;
  const lead = [...chosen].map((example) => `${ask(example)} ${example[0].toUpperCase()}\n`).join('');
  const tokens = tokenizer.encodeDocument(lead + ask(word));
  const position = tokenizer.encodeDocument(`${lead}${space}${word}`).length - 1;
  return tokens[position] === token ? { word, tokens, position } : undefined;
}

/** Up to `count` of them, evenly. */
function spread<T>(items: readonly T[], count: number): T[] {
  const step = Math.max(1, items.length / count);
  return Array.from({ length: Math.min(count, items.length) }, (_, i) => items[Math.floor(i * step)]);
}

/** `[26]` the token with which the answer of each letter begins; why they cannot be told apart. */
function letterTokens({ tokenizer }: LanguageModel): readonly number[] | string {
  const asked = tokenizer.encode('a has the first letter:');
  const answers = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].flatMap((letter) => {
    const answered = tokenizer.encode(`a has the first letter: ${letter}`);
    const goesOn = asked.every((token, i) => answered[i] === token);
    return goesOn && answered.length > asked.length ? [answered[asked.length]] : [];
  });
  return new Set(answers).size === 26 ? answers : 'the vocabulary has no tokens that tell the 26 letters apart';
}

/** Of prompts after which the right letter is the most likely one of the 26. */
async function shareOfRightAnswers(
  model: LanguageModel,
  answers: readonly number[],
  prompts: readonly Prompt[],
): Promise<number> {
  const { tokenizer, info } = model;
  const layer = info.layers - 1;
  const prefix = await model.prefix([{ layer, hook: 'resid_post' }]);
  try {
    const suffix = await model.suffix(layer);
    try {
      let right = 0;
      for (const batch of batchesOf(prompts, BATCH_LOGITS / info.vocab)) {
        const tokens = packTokens(
          batch.map((prompt) => prompt.tokens),
          tokenizer.padId,
        );
        const [residual] = await prefix.run(tokens);
        const logits = await suffix.run(tokens, residual);
        const vocab = logits.length / (tokens.n * tokens.length);
        batch.forEach((prompt, n) => {
          const at = (n * tokens.length + prompt.tokens.length - 1) * vocab;
          const scores = answers.map((answer) => logits[at + answer]);
          const best = scores.indexOf(Math.max(...scores));
          if (best === prompt.word.toLowerCase().charCodeAt(0) - 'a'.charCodeAt(0)) right++;
        });
      }
      return right / prompts.length;
    } finally {
      await suffix.release();
    }
  } finally {
    await prefix.release();
  }
}

/** `[prompts, d]` at the words. */
async function readActivations(
  model: LanguageModel,
  site: Site,
  prompts: readonly Prompt[],
  onProgress: (done: number, total: number) => void,
): Promise<Float32Array> {
  const { d } = model.info;
  const x = new Float32Array(prompts.length * d);
  const prefix = await model.prefix([site]);
  try {
    let row = 0;
    for (const batch of batchesOf(prompts, BATCH_TOKENS)) {
      const tokens = packTokens(
        batch.map((prompt) => prompt.tokens),
        model.tokenizer.padId,
      );
      const [all] = await prefix.run(tokens);
      for (const [n, { position }] of batch.entries()) {
        const at = (n * tokens.length + position) * d;
        x.set(all.subarray(at, at + d), row++ * d);
      }
      onProgress(row, prompts.length);
    }
  } finally {
    await prefix.release();
  }
  return x;
}

/** In order. @param tokens of a batch at most, padding included */
function batchesOf(prompts: readonly Prompt[], tokens: number): Prompt[][] {
  const longest = prompts.reduce((most, prompt) => Math.max(most, prompt.tokens.length), 1);
  const size = Math.max(1, Math.floor(tokens / longest));
  return Array.from({ length: Math.ceil(prompts.length / size) }, (_, i) => prompts.slice(i * size, (i + 1) * size));
}
