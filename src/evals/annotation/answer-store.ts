/** Answers while people give them: one file per annotator, written anew with every answer. */
import { join } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { listFolder, makeFolder } from '../../core/files.ts';
import { readAnswers, writeAnswers, type GivenAnswer } from './files.ts';
import { ABOUT, type Item } from './items.ts';

/** Also the name of the annotator's file. */
const NAME = /^[a-z0-9][a-z0-9_-]{0,39}$/;

/** An answer that cannot be taken; the message is for the annotator. */
export class AnswerRefused extends Error {}

export class AnswerStore {
  readonly #folder: string;
  readonly #items: ReadonlyMap<string, Item>;
  /** By annotator and item. */
  readonly #answers = new Map<string, Map<string, GivenAnswer>>();

  /** Goes on with the answers that the folder holds. @throws InputError if they belong to other items */
  constructor(folder: string, items: readonly Item[]) {
    this.#folder = folder;
    this.#items = new Map(items.map((item) => [item.id, item]));
    makeFolder(folder);
    const files = listFolder(folder).filter((name) => name.endsWith('.csv'));
    for (const name of files) {
      const path = join(folder, name);
      const annotator = name.slice(0, -'.csv'.length);
      for (const given of readAnswers([path], this.#items)) {
        if (given.annotator !== annotator) {
          throw new InputError(`an answer of ${given.annotator} in the file of ${annotator}`, { where: path });
        }
        this.#of(annotator).set(given.item, given);
      }
    }
  }

  /** @throws AnswerRefused for a name that cannot be that of a file */
  answers(annotator: string): Readonly<Record<string, string>> {
    const name = nameOf(annotator);
    return Object.fromEntries([...(this.#answers.get(name) ?? [])].map(([item, { answer }]) => [item, answer]));
  }

  /** Takes an answer, or changes one. It is on disk when this returns. @throws AnswerRefused @throws OutputError */
  give(annotator: string, id: string, answer: string): void {
    const name = nameOf(annotator);
    const item = this.#items.get(id);
    if (!item) throw new AnswerRefused('there is no such item');
    if (!ABOUT[item.kind].answers.includes(answer)) throw new AnswerRefused('there is no such answer to this item');
    const own = new Map(this.#of(name)).set(id, { item: id, annotator: name, answer, time: new Date().toISOString() });
    writeAnswers(join(this.#folder, `${name}.csv`), own.values());
    this.#answers.set(name, own);
  }

  #of(annotator: string): Map<string, GivenAnswer> {
    const own = this.#answers.get(annotator) ?? new Map<string, GivenAnswer>();
    this.#answers.set(annotator, own);
    return own;
  }
}

function nameOf(annotator: string): string {
  const name = annotator.trim().toLowerCase();
  if (!NAME.test(name)) {
    throw new AnswerRefused('a name has 1 to 40 letters a–z, digits, _ and -, and begins with a letter or digit');
  }
  return name;
}
