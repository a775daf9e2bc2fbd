/**
 * The suite `absorption`: whether latents for general things stay silent where latents for special things have taken them over, and
 * into how many latents one thing is split. Words whose spelling tells the answer are one way to see it (SAEBench), a known truth another.
 */
import { chooseSet } from './absorption/property-probes.ts';
import { TRUTH_METRICS, truthAbsorption } from './absorption/truth-absorption.ts';
import { truthDirectionsOf } from './absorption/truth-directions.ts';
import { wordsInPrompts } from './absorption/spelling-prompts.ts';
import { readVocabulary } from './absorption/vocabulary.ts';
import { insufficientWords, WORD_METRICS, wordAbsorption } from './absorption/word-absorption.ts';
import { FIRST_LETTER, propertySets } from './absorption/word-properties.ts';
import { WordChooser, wordsInContext } from './absorption/word-rows.ts';
import type { EvalContext } from './context.ts';
import { HeldOutRows } from './held-out-rows.ts';
import type { Metrics, SuiteResult } from './metric.ts';
import { truthRowsOf } from './truth-source.ts';

/** @throws InputError if the source holds no held-out rows */
export async function evaluateAbsorption(context: EvalContext): Promise<SuiteResult> {
  const words = await ofWords(context);
  const truth = await ofTruth(context);
  const byView = new Map<string, Metrics>(context.sae.views.map(({ name }) => [name, {}]));
  const skipped: Record<string, string> = {};
  for (const [names, part] of [
    [WORD_METRICS, words],
    [TRUTH_METRICS, truth],
  ] as const) {
    if (typeof part === 'string') for (const name of names) skipped[name] = part;
    else for (const [view, metrics] of part) Object.assign(byView.get(view)!, metrics);
  }
  const { full, ...views } = Object.fromEntries(byView);
  return { metrics: full, views, skipped };
}

type ByView = ReadonlyMap<string, Metrics>;

/** By prompts as SAEBench does, where the model can answer them; else by what it tells of words in held-out text. */
async function ofWords(context: EvalContext): Promise<ByView | string> {
  const { model, source, normalization, seed, onProgress } = context;
  if (typeof model === 'string') return model;
  const vocabulary = readVocabulary(model.model.tokenizer);
  const prompted = await wordsInPrompts(model, vocabulary, seed, (done, total) => onProgress('prompts', done, total));
  let why = prompted;
  if (typeof prompted !== 'string') {
    const set = chooseSet(prompted, [FIRST_LETTER]);
    const protocol = "SAEBench's prompts with ten examples, read at the word";
    if (typeof set !== 'string') return wordAbsorption(context, { words: prompted, set, protocol });
    why = set;
  }
  const chooser = new WordChooser(vocabulary);
  const rows = await HeldOutRows.open(source, normalization, context, (origins, start) => chooser.add(origins, start));
  if (!rows.hasOrigins) return 'the activations were not harvested from a language model';
  const words = await wordsInContext(rows, chooser, seed);
  const sets = propertySets(words.occurrences);
  const set = chooseSet(words, sets, (done) => onProgress('sets of word properties', done, sets.length));
  if (typeof set === 'string') return new Map([['full', insufficientWords(set, words.occurrences.length)]]);
  const protocol = `words that are one token in held-out text (SAEBench's prompts cannot be used: ${why as string})`;
  return wordAbsorption(context, { words, set, protocol });
}

async function ofTruth(context: EvalContext): Promise<ByView | string> {
  const truth = await truthRowsOf(context);
  return typeof truth === 'string' ? truth : truthAbsorption(context, truth, await truthDirectionsOf(context));
}
