/**
 * What a language model is asked about latents, and how its answers are read. The protocols are those of SAEBench's autointerp
 * (explain, predict), Delphi (detection, fuzzing) and HSAE's appendix C (relation); the wording is our own.
 */
import type { Examples, Trial } from './examples.ts';

export interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** A question, and what its answer means. */
export interface Question<T> {
  readonly messages: readonly Message[];
  /** @throws AnswerError where the answer does not have the form that was asked for */
  read(answer: string): T;
}

/** An answer that cannot be read. The message is shown to the language model when it is asked again. */
export class AnswerError extends Error {}

/** Texts that are judged in one request of detection and fuzzing (Delphi's default). */
export const TEXTS_PER_QUESTION = 5;

const ABOUT =
  'You study units of a neural network that reads text. Each unit responds to one kind of thing: a word or part of a word, ' +
  'a topic, a grammatical role, a property of the context.';
const MARKS = 'The words at which a unit responds are enclosed in << and >>.';

const question = <T>(task: string, user: string, read: (answer: string) => T): Question<T> => ({
  messages: [
    { role: 'system', content: `${ABOUT} ${task}` },
    { role: 'user', content: user },
  ],
  read,
});

const numbered = (texts: readonly string[]): string => texts.map((text, i) => `${i + 1}. ${text}`).join('\n');

export function explain({ shown }: Pick<Examples, 'shown'>): Question<string> {
  const task =
    `You are shown texts in which one unit responds; the first ones excite it most. ${MARKS} Find what the marked places have in ` +
    'common, as precisely as the texts allow: neither broader nor narrower than what they show. Do not mention the marks, and do ' +
    'not list the texts. End with one line of the form\nExplanation: <at most 25 words>';
  return question(task, numbered(shown), (answer) => {
    const found = [...answer.matchAll(/explanation\W*?:\**\s*(\S.*)/gi)].at(-1)?.[1].trim();
    if (!found) throw new AnswerError('there is no line "Explanation: …"');
    return found.slice(0, 500);
  });
}

/** Which of some texts the unit responds in. @returns the answer for each text */
export function predict(explanation: string, { texts }: Trial): Question<boolean[]> {
  const task =
    'You are given a description of what a unit responds to, and numbered texts. Decide in which texts it responds at least once. ' +
    'Answer with nothing but the numbers of those texts as a JSON list, such as [2, 7]; if there are none, [].';
  return question(task, `Description: ${explanation}\n\n${numbered(texts)}`, (answer) => {
    const chosen = lastList(answer);
    if (chosen.some((number) => !Number.isInteger(number) || number < 1 || number > texts.length)) {
      throw new AnswerError(`the list holds something else than numbers from 1 to ${texts.length}`);
    }
    return texts.map((_, i) => chosen.includes(i + 1));
  });
}

/** @returns for each text whether the description fits it */
export function detect(explanation: string, texts: readonly string[]): Question<boolean[]> {
  const task =
    'You are given a description of what a unit responds to, and numbered texts. For each text decide whether it contains what the ' +
    `description says. ${verdicts(texts)}`;
  return question(task, `Description: ${explanation}\n\n${numbered(texts)}`, (answer) => readVerdicts(answer, texts));
}

/** @returns for each text whether its marks are where the description says */
export function fuzz(explanation: string, texts: readonly string[]): Question<boolean[]> {
  const task =
    'You are given a description of what a unit responds to, and numbered texts with marks. The marks << and >> should enclose ' +
    'the words at which the unit responds, but some were moved to other words. For each text decide whether the marked words are ' +
    `those that the description speaks of. ${verdicts(texts)}`;
  return question(task, `Description: ${explanation}\n\n${numbered(texts)}`, (answer) => readVerdicts(answer, texts));
}

export interface Relation {
  readonly related: boolean;
  readonly confidence: 'high' | 'medium' | 'low';
}

/** Whether B is a special case of A (HSAE, appendix C). */
export function relate(a: readonly string[], b: readonly string[]): Question<Relation> {
  const task =
    `You are shown texts of two units, A and B. ${MARKS} Work out what each of them responds to. Then decide whether what B ` +
    'responds to is a part or special case of what A responds to: the set of things of B is a subset of the set of things of A. ' +
    'Two units that respond to the same thing, to things that only occur together, or to two special cases of a third thing do not ' +
    'stand in this relation. Answer with one line of the form\nHaveRelationship: [Yes/No] Confidence: [High/Medium/Low]';
  return question(task, `Unit A:\n${numbered(a)}\n\nUnit B:\n${numbered(b)}`, (answer) => {
    const found = [
      ...answer.matchAll(/haverelationship\W*(yes|no)\b[\s\S]{0,20}?confidence\W*(high|medium|low)\b/gi),
    ].at(-1);
    if (!found) throw new AnswerError('there is no line "HaveRelationship: [Yes/No] Confidence: [High/Medium/Low]"');
    return {
      related: found[1].toLowerCase() === 'yes',
      confidence: found[2].toLowerCase() as Relation['confidence'],
    };
  });
}

/** The question once more, after an answer that could not be read. */
export function askedAgain(messages: readonly Message[], answer: string, problem: string): Message[] {
  const user = `This answer cannot be read: ${problem}. Give your answer once more, in exactly the form that was asked for.`;
  return [...messages, { role: 'assistant', content: answer }, { role: 'user', content: user }];
}

const verdicts = (texts: readonly string[]): string =>
  `Answer with nothing but a JSON list of ${texts.length} numbers, 1 for yes and 0 for no, in the order of the texts, such as ` +
  `${JSON.stringify(texts.map((_, i) => (i + 1) % 2))}.`;

function readVerdicts(answer: string, texts: readonly string[]): boolean[] {
  const list = lastList(answer);
  if (list.length !== texts.length || list.some((value) => value !== 0 && value !== 1)) {
    throw new AnswerError(`the list does not hold ${texts.length} times 0 or 1`);
  }
  return list.map((value) => value === 1);
}

/** Models may think aloud before they answer: the last list counts. */
function lastList(answer: string): number[] {
  const found = [...answer.matchAll(/\[[\d\s,]*\]/g)].at(-1)?.[0];
  try {
    return JSON.parse(found ?? '') as number[];
  } catch {
    throw new AnswerError('there is no JSON list of numbers');
  }
}
