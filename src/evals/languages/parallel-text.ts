/** The same text in several languages: of the world, or lines of a file. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { readTextFile } from '../../core/files.ts';
import type { LanguageModel } from '../../lm/model.ts';
import { LANGUAGES } from '../../world/languages/lexicon.ts';
import type { World, WorldDocument } from '../../world/world.ts';

/** In the folder of labelled texts. */
export const PARALLEL_FILE = 'parallel.tsv';

/** Positions that belong together, one in each language. */
export type Aligned = readonly number[];

export interface ParallelDocument {
  /** `[languages]` as the model reads them. */
  readonly tokens: readonly Int32Array[];
  /** Last token of every sentence. */
  readonly sentences: readonly Aligned[];
  /** Tokens that name the same thing; none where nobody knows. */
  readonly mentions: readonly Aligned[];
  /** `[languages]` concept of every token, −1 for none; undefined where nobody knows. */
  readonly concepts?: readonly Int32Array[];
}

export interface ParallelText {
  readonly languages: readonly string[];
  readonly count: number;
  document(i: number): ParallelDocument;
  /** Of the concepts in the documents; undefined where nobody knows any. */
  readonly world?: World;
  /** For definitions, e.g. `held-out stories of the embedded world`. */
  readonly what: string;
}

export function worldText(world: World, { info }: LanguageModel, count: number): ParallelText {
  const context = info.context ?? Infinity;
  return {
    languages: LANGUAGES,
    count,
    world,
    what: 'held-out stories of the embedded world',
    document(i) {
      const versions = world.parallel('held-out', i);
      return {
        tokens: versions.map(({ tokens }) => tokens.subarray(0, Math.min(tokens.length, context))),
        sentences: versions[0].starts
          .map((_, s) => versions.map(({ starts, tokens }) => (starts[s + 1] ?? tokens.length) - 1))
          .filter((aligned) => aligned.every((position) => position < context)),
        mentions: alignedMentions(versions).filter((aligned) => aligned.every((position) => position < context)),
        concepts: versions.map(({ concepts }) => concepts.subarray(0, Math.min(concepts.length, context))),
      };
    },
  };
}

/** Mentions that every language makes with one word for the same concept. */
function alignedMentions(versions: readonly WorldDocument[]): number[][] {
  const positions = versions.map(({ mentions }) => {
    const of = new Map<number, number[]>();
    mentions.forEach((mention, position) => {
      if (mention !== -1) of.set(mention, [...(of.get(mention) ?? []), position]);
    });
    return of;
  });
  const aligned = [...positions[0].keys()].flatMap((mention) => {
    const all = positions.map((of) => of.get(mention) ?? []);
    return all.every(({ length }) => length === 1) ? [all.map(([position]) => position)] : [];
  });
  return aligned.filter((places) => new Set(places.map((position, l) => versions[l].concepts[position])).size === 1);
}

/**
 * Tab-separated lines, the first of which names the languages; every other has one sentence in each. There is no quoting.
 * @returns undefined where the folder has no such file
 * @throws InputError for lines that do not fit the first
 */
export function readParallelText(
  folder: string,
  { tokenizer, info }: LanguageModel,
  bosId: number | null,
): ParallelText | undefined {
  const where = join(folder, PARALLEL_FILE);
  if (!existsSync(where)) return undefined;
  const [head, ...lines] = readTextFile(where, 'parallel text')
    .replace(/[\r\n]+$/, '')
    .split(/\r?\n/);
  const languages = head.split('\t').map((name) => name.trim().toLowerCase().replaceAll(/\W+/g, '_'));
  checkLanguages(languages, where);
  const documents = lines.map((line, i): ParallelDocument => {
    const cells = line.split('\t').map((cell) => cell.trim());
    const refuse = (message: string): never => {
      throw new InputError(`line ${i + 2} ${message}`, {
        where,
        hint: 'one sentence per language in every line, separated by tabs, without quoting',
      });
    };
    if (cells.length !== languages.length) {
      refuse(`has ${cells.length} columns, the first line names ${languages.length} languages`);
    }
    const tokens = cells.map((cell, l) => {
      const ids = tokenizer.encode(cell);
      if (ids.length === 0) refuse(`has no ${languages[l]} text`);
      return bosId === null ? ids : Int32Array.of(bosId, ...ids);
    });
    return { tokens, sentences: [tokens.map(({ length }) => length - 1)], mentions: [] };
  });
  const fitting = documents.filter(({ tokens }) => tokens.every(({ length }) => length <= (info.context ?? Infinity)));
  return {
    languages,
    count: fitting.length,
    document: (i) => fitting[i],
    what: `lines of ${PARALLEL_FILE} that fit into the model's context`,
  };
}

function checkLanguages(languages: readonly string[], where: string): void {
  const hint = 'the first line names the languages, separated by tabs: english<TAB>french';
  if (languages.length < 2) throw new InputError('the first line names fewer than two languages', { where, hint });
  if (languages.includes('')) throw new InputError('the first line leaves a language without a name', { where, hint });
  if (new Set(languages).size < languages.length) {
    throw new InputError('the first line names a language twice', { where, hint });
  }
}
