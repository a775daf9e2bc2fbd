/**
 * Labels for latents by a language model behind an endpoint: explained, scored by prediction, detection and fuzzing, and pairs of a
 * forest judged for whether the child is a special case of the parent. Every answer is kept the moment it arrives, and every request
 * is a function of the run and the seed: after an endpoint has died, the same call goes on where it stopped.
 */
import type { EvalContext } from '../context.ts';
import { sampleContexts, stratifiedLatents, tokenizerOf } from '../context-sample.ts';
import { forestOf } from '../forest-of.ts';
import { latentPairs, type LatentPair } from '../latent-pairs.ts';
import type { AnswerCache, AnswerRequest } from './answer-cache.ts';
import type { Endpoint } from './endpoint.ts';
import { CONTEXT_COUNTS, examplesOf, type Examples } from './examples.ts';
import { AnswerError, askedAgain, explain, type Message, type Question, type Relation } from './prompts.ts';
import { judgementsOf, relationQuestion, type Judgement } from './questions.ts';

/** Times that a question is put before its answers count as unreadable. */
const QUESTIONS = 3;

export interface LabelSettings {
  /** Name of the language model at the endpoint. */
  readonly judge: string;
  readonly latents: number;
  /** Edges of the forest at most; there are as many random pairs. */
  readonly pairs: number;
  /** Tokens of an answer at most. */
  readonly answerTokens: number;
}

/** What will be asked. */
export interface Plan {
  readonly examples: readonly Examples[];
  readonly relations: readonly { readonly pair: LatentPair; readonly question: Question<Relation> }[];
  /** Latents that were drawn and cannot be scored, with the reason. */
  readonly passedOver: ReadonlyMap<number, string>;
  /** Latents that fire often enough. */
  readonly eligible: number;
  /** `[latent]` tokens at which each latent fires, of the rows that were read. */
  readonly fired: ReadonlyMap<number, number>;
  readonly rows: number;
  /** Where the pairs come from. */
  readonly forest: string;
  /** Tokens of an answer at most. */
  readonly bound: number;
  request(messages: readonly Message[]): AnswerRequest;
}

/** @throws InputError without the language model that the activations come from: its tokenizer is needed */
export async function planLabels(context: EvalContext, settings: LabelSettings): Promise<Plan> {
  const { seed } = context;
  const tokenizer = tokenizerOf(context);
  const judged = settings.pairs === 0 ? undefined : await forestOf(context);
  let [latents, pairs]: [number[], LatentPair[]] = [[], []];
  const { contexts, eligible, rows } = await sampleContexts(context, CONTEXT_COUNTS, (eligible) => {
    latents = stratifiedLatents(eligible, settings.latents, seed);
    pairs = judged ? latentPairs(judged.forest, new Set(eligible), settings.pairs, seed) : [];
    return [...new Set([...latents, ...pairs.flatMap(({ parent, child }) => [parent, child])])];
  });
  const examples: Examples[] = [];
  const passedOver = new Map<number, string>();
  for (const latent of latents) {
    const found = examplesOf(contexts.get(latent)!, tokenizer, seed);
    if (typeof found === 'string') passedOver.set(latent, found);
    else examples.push(found);
  }
  return {
    examples,
    relations: pairs.map((pair) => ({ pair, question: relationQuestion(pair, contexts, tokenizer) })),
    passedOver,
    eligible,
    fired: new Map([...contexts].map(([latent, { fired }]) => [latent, fired])),
    rows,
    forest: judged?.how ?? 'none',
    bound: settings.answerTokens,
    request: (messages) => ({ model: settings.judge, messages, bound: settings.answerTokens }),
  };
}

/** undefined where answers could not be read. */
export interface LabelledLatent {
  readonly latent: number;
  readonly explanation: string;
  /** Share of the 14 texts for which it was said rightly whether the latent fires. */
  readonly prediction?: number;
  readonly detection?: number;
  readonly fuzzing?: number;
}

export interface JudgedPair extends LatentPair, Relation {}

export interface Labels {
  readonly latents: readonly LabelledLatent[];
  readonly pairs: readonly JudgedPair[];
  /** Questions whose answers could not be read. */
  readonly unreadable: number;
}

export interface LabelOptions {
  readonly concurrency: number;
  /** Ends the work when a request has failed for good; the endpoint listens to it. */
  readonly stop: AbortController;
  readonly onProgress: (done: number) => void;
}

/**
 * @throws EndpointError when the endpoint answers no more, InterruptedError when the work was stopped; the answers so far are kept
 */
export async function label(
  plan: Plan,
  endpoint: Pick<Endpoint, 'complete'>,
  cache: AnswerCache,
  { concurrency, stop, onProgress }: LabelOptions,
): Promise<Labels> {
  let [unreadable, sent] = [0, 0];
  const ask = async <T>({ messages, read }: Question<T>): Promise<T | undefined> => {
    const request = plan.request(messages);
    const known = cache.recall(request, read);
    if (known) return known.meaning;
    let asked = messages;
    for (let i = 0; i < QUESTIONS; i++) {
      const answer = await endpoint.complete(asked, plan.bound);
      try {
        const meaning = read(answer);
        cache.put(request, answer);
        onProgress(++sent);
        return meaning;
      } catch (error) {
        if (!(error instanceof AnswerError)) throw error;
        asked = askedAgain(messages, answer, error.message);
      }
    }
    unreadable++;
    onProgress(++sent);
    return undefined;
  };
  const share = async (judgements: readonly Judgement[]): Promise<number | undefined> => {
    let [right, texts] = [0, 0];
    for (const { question, truth } of judgements) {
      const answers = await ask(question);
      if (!answers) return undefined;
      right += answers.filter((answer, i) => answer === truth[i]).length;
      texts += truth.length;
    }
    return right / texts;
  };

  const latents: (LabelledLatent | undefined)[] = [];
  const pairs: (JudgedPair | undefined)[] = [];
  const works = [
    ...plan.examples.map((examples, i) => async () => {
      const explanation = await ask(explain(examples));
      if (explanation === undefined) return;
      const { prediction, detection, fuzzing } = judgementsOf(examples, explanation);
      const scores = {
        prediction: await share(prediction),
        detection: await share(detection),
        fuzzing: await share(fuzzing),
      };
      const known = Object.entries(scores).filter(([, score]) => score !== undefined);
      latents[i] = { latent: examples.latent, explanation, ...Object.fromEntries(known) };
    }),
    ...plan.relations.map(({ pair, question }, i) => async () => {
      const relation = await ask(question);
      if (relation) pairs[i] = { ...pair, ...relation };
    }),
  ];
  await inParallel(works, concurrency, stop);
  return {
    latents: latents.filter((latent) => latent !== undefined),
    pairs: pairs.filter((pair) => pair !== undefined),
    unreadable,
  };
}

/** Runs jobs, some at a time; the first failure stops the others and is thrown when they have ended. */
async function inParallel(
  jobs: readonly (() => Promise<void>)[],
  concurrency: number,
  stop: AbortController,
): Promise<void> {
  let next = 0;
  let failure: { error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < jobs.length && !failure) {
      const job = jobs[next++];
      try {
        await job();
      } catch (error) {
        failure ??= { error };
        stop.abort();
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, jobs.length) }, worker));
  if (failure) throw failure.error;
}
