/** Answers of language models, kept by the content of the request: what was asked once is never asked, or paid for, again. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { cacheKey } from '../../core/cache.ts';
import { makeFolder, readJsonFile, removeTemporaries, writeFileAtomic } from '../../core/files.ts';
import { InputError } from '../../core/errors.ts';
import { AnswerError, type Message } from './prompts.ts';

/** Everything that decides an answer. The address is not part of it: a model may move to another server. */
export interface AnswerRequest {
  readonly model: string;
  readonly messages: readonly Message[];
  /** Tokens of the answer at most. */
  readonly bound: number;
}

const fileSchema = z.object({ answer: z.string() });

export class AnswerCache {
  readonly #folder: string;

  /** @param folder is created when the first answer is kept */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * @param read what the answer means
   * @returns undefined for a request that was not answered yet, and for a file that is damaged or cannot be read any more
   */
  recall<T>(request: AnswerRequest, read: (answer: string) => T): { readonly meaning: T } | undefined {
    const path = this.#path(request);
    if (!existsSync(path)) return undefined;
    try {
      return { meaning: read(fileSchema.parse(readJsonFile(path, 'answer')).answer) };
    } catch (error) {
      if (error instanceof InputError || error instanceof AnswerError || error instanceof z.ZodError) return undefined;
      throw error;
    }
  }

  put(request: AnswerRequest, answer: string): void {
    makeFolder(this.#folder);
    writeFileAtomic(this.#path(request), `${JSON.stringify({ request, answer }, null, 1)}\n`);
  }

  /** Removes what a run that was killed left half-written. */
  clean(): void {
    if (existsSync(this.#folder)) removeTemporaries(this.#folder);
  }

  #path({ model, messages, bound }: AnswerRequest): string {
    return join(this.#folder, `${cacheKey([model, messages.map(({ role, content }) => [role, content]), bound])}.json`);
  }
}
