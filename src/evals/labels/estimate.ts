/** What labelling will cost, before anything is sent. */
import type { AnswerCache } from './answer-cache.ts';
import { explain, type Message, type Question } from './prompts.ts';
import { judgementsOf } from './questions.ts';
import type { Plan } from './label.ts';

/** Characters per token, in the usual rule of thumb. */
const CHARACTERS_PER_TOKEN = 4;
/** Stands for an explanation that is not there yet. */
const TYPICAL_EXPLANATION = 'x'.repeat(120);

export interface Estimate {
  /** To be sent, when no answer has to be asked for twice. */
  readonly requests: number;
  /** Answered by an earlier run. */
  readonly cached: number;
  /** Characters / 4. */
  readonly promptTokens: number;
  /** At most. */
  readonly completionTokens: number;
  /** In the currency of the prices; undefined without them. */
  readonly cost?: number;
}

/** Per million tokens. */
export interface Prices {
  readonly input?: number | undefined;
  readonly output?: number | undefined;
}

export function estimate(plan: Plan, cache: AnswerCache, { input, output }: Prices): Estimate {
  let [requests, cached, characters] = [0, 0, 0];
  const count = <T>({ messages, read }: Question<T>): T | undefined => {
    const known = cache.recall(plan.request(messages), read);
    if (known) cached++;
    else {
      requests++;
      characters += length(messages);
    }
    return known?.meaning;
  };
  for (const examples of plan.examples) {
    const explanation = count(explain(examples)) ?? TYPICAL_EXPLANATION;
    for (const judgement of Object.values(judgementsOf(examples, explanation)).flat()) count(judgement.question);
  }
  for (const { question } of plan.relations) count(question);
  const promptTokens = Math.ceil(characters / CHARACTERS_PER_TOKEN);
  const completionTokens = requests * plan.bound;
  const priced = input !== undefined || output !== undefined;
  const cost = (promptTokens * (input ?? 0) + completionTokens * (output ?? 0)) / 1e6;
  return { requests, cached, promptTokens, completionTokens, ...(priced && { cost }) };
}

const length = (messages: readonly Message[]): number => messages.reduce((sum, { content }) => sum + content.length, 0);
