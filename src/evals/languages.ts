/**
 * The suite `languages`: whether an SAE says the same in every language with the same latents (cross-language redundancy, Muchane et al.,
 * arXiv 2506.01197). On the same stories in the three languages of the embedded world, or on lines of a file that translate each other.
 */
import { codesFromDense } from '../core/codes.ts';
import { World } from '../world/world.ts';
import type { EvalContext, HarvestedModel } from './context.ts';
import { differenceMetrics } from './languages/differences.ts';
import {
  PARALLEL_FILE,
  readParallelText,
  worldText,
  type Aligned,
  type ParallelDocument,
  type ParallelText,
} from './languages/parallel-text.ts';
import { LanguageFirings } from './languages/specific.ts';
import { SaeTextEncoder, type EncodedTexts } from './languages/text-encoder.ts';
import { AlignedSets } from './languages/top-latents.ts';
import { Bootstrap, type Metrics, type SuiteResult } from './metric.ts';
import { chains, speaksOf } from './world-rows.ts';

/** Parallel documents at most: the sets of their sentences and mentions stay in memory. */
const MOST_DOCUMENTS = 1000;
/** Documents that go through the model at once. */
const TOGETHER = 32;

const NAMES = ['symmetric_difference', 'jaccard_distance', 'language_specific'];
const OF_CONCEPTS = ['mention_symmetric_difference', 'mention_jaccard_distance', 'redundant_share'];

/** @throws InputError for a file of parallel text that is damaged */
export async function evaluateLanguages(context: EvalContext): Promise<SuiteResult> {
  const { model } = context;
  const text = typeof model === 'string' ? model : openText(context, model);
  if (typeof model === 'string' || typeof text === 'string') {
    return { metrics: {}, views: {}, skipped: skip([...NAMES, ...OF_CONCEPTS], String(text)) };
  }
  const { full, ...views } = await measure(context, model, text);
  const skipped = text.world
    ? {}
    : skip(OF_CONCEPTS, 'nobody knows the concepts of this text: they are known of the embedded world');
  return { metrics: full, views, skipped };
}

function skip(names: readonly string[], why: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, why]));
}

/** A file comes before the world. @returns why there is no parallel text */
function openText({ data }: EvalContext, { model, bosId }: HarvestedModel): ParallelText | string {
  const file = data === undefined ? undefined : readParallelText(data, model, bosId);
  if (file) return file;
  const world = new World();
  if (speaksOf(model, world)) return worldText(world, model, MOST_DOCUMENTS);
  const missing = data === undefined ? `--data FOLDER with ${PARALLEL_FILE}` : `${PARALLEL_FILE} in ${data}`;
  return `the model is not that of the embedded world and there is no text in several languages: ${missing}`;
}

/** Metrics by view. */
async function measure(
  context: EvalContext,
  model: HarvestedModel,
  text: ParallelText,
): Promise<Record<string, Metrics>> {
  const { sae, seed, onProgress } = context;
  const { languages, world } = text;
  const views = sae.views.map(({ name, from, to }) => {
    const range = name === 'full' ? { from: 0, to: sae.width } : { from, to };
    const newSets = (): AlignedSets => new AlignedSets(languages.length, range);
    return { name, range, sentences: newSets(), mentions: newSets() };
  });
  const firings = new LanguageFirings(languages.length, sae.width, world?.concepts.size ?? 0);
  const encoder = await SaeTextEncoder.open(context, model);
  let documents = 0;
  try {
    for (const batch of batches(text, context.rows)) {
      const encoded: EncodedTexts[] = [];
      for (const l of languages.keys()) {
        const texts = await encoder.encode(batch.map(({ tokens }) => tokens[l]));
        encoded.push(texts);
        const concepts = batch.map((document) => document.concepts?.[l]);
        for (const { from, codes } of texts.pieces) {
          const said = texts.places
            .slice(from, from + codes.rows)
            .map(([i, position]) => concepts[i]?.[position] ?? -1);
          firings.add(l, codes, world ? chains(world, Int32Array.from(said)) : codesFromDense([], codes.rows, 0));
        }
      }
      for (const [i, document] of batch.entries()) {
        for (const { range, sentences, mentions } of views) {
          const top = (aligned: Aligned): Int32Array[] =>
            aligned.map((position, l) => encoded[l].top(i, position, range));
          for (const aligned of document.sentences) sentences.add(documents + i, top(aligned));
          for (const aligned of document.mentions) mentions.add(documents + i, top(aligned));
        }
      }
      documents += batch.length;
      onProgress('parallel documents', documents, text.count);
    }
  } finally {
    await encoder.release();
  }
  const units = { count: documents, label: `${documents} documents (${text.what})` };
  const bootstrap = new Bootstrap(units, seed);
  const atSentences = { prefix: '', where: 'at the last token of translated sentences' };
  const atMentions = {
    prefix: 'mention_',
    where: 'at the words for the same mention of a concept in translated sentences',
  };
  return Object.fromEntries(
    views.map(({ name, range, sentences, mentions }): [string, Metrics] => [
      name,
      {
        ...differenceMetrics(sentences, languages, bootstrap, seed, atSentences),
        ...(world && differenceMetrics(mentions, languages, bootstrap, seed, atMentions)),
        ...firings.metrics(range, languages, seed),
      },
    ]),
  );
}

/** The first documents, as many as hold `most` tokens in all languages together. */
function* batches(text: ParallelText, most: number): Generator<ParallelDocument[]> {
  let [rows, batch]: [number, ParallelDocument[]] = [0, []];
  for (let i = 0; i < text.count; i++) {
    const document = text.document(i);
    rows += document.tokens.reduce((sum, { length }) => sum + length, 0);
    if (rows > most) break;
    batch.push(document);
    if (batch.length < TOGETHER) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
