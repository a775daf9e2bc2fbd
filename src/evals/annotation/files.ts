/** Items, their key and people's answers as files. */
import { z } from 'zod';
import { InputError } from '../../core/errors.ts';
import { parseInput } from '../../core/config.ts';
import { readJsonFile, writeFileAtomic } from '../../core/files.ts';
import { ABOUT, KINDS, type Item, type KeyEntry, type Kind } from './items.ts';
import { isJson, readTable, toCsv } from './tables.ts';

const ITEM_COLUMNS = ['item', 'kind', 'question', 'answers', 'a', 'b', 'annotator', 'answer'];
export const ANSWER_COLUMNS = ['item', 'annotator', 'answer', 'time'];

const KEY_FORMAT = 'saeforest-annotation-key';
const keySchema = z.strictObject({
  format: z.literal(KEY_FORMAT),
  version: z.literal(1),
  measured: z.record(z.string(), z.json()),
  items: z
    .array(
      z.strictObject({
        id: z.string(),
        kind: z.enum(KINDS),
        condition: z.string(),
        latents: z.array(z.number().int()),
      }),
    )
    .min(1),
});

/** As CSV or JSON, by the name of the file. The columns `annotator` and `answer` are for people who fill in the table itself. */
export function writeItems(path: string, items: readonly Item[]): void {
  const rows = items.map(({ id, kind, a, b }) => ({
    item: id,
    kind,
    question: ABOUT[kind].question,
    answers: ABOUT[kind].answers.join(' / '),
    a: numbered(a),
    b: numbered(b),
    annotator: '',
    answer: '',
  }));
  writeFileAtomic(path, isJson(path) ? `${JSON.stringify(rows, null, 1)}\n` : toCsv(ITEM_COLUMNS, rows));
}

/** @throws InputError */
export function readItems(path: string): Item[] {
  const rows = readTable(path, 'items', ['item', 'kind', 'a', 'b']);
  const seen = new Set<string>();
  const items = rows.map(({ cells, where }): Item => {
    const kind = KINDS.find((name) => name === cells.kind);
    if (kind === undefined) throw new InputError(`${where}: unknown kind "${cells.kind}"`, { where: path });
    if (seen.has(cells.item)) throw new InputError(`${where}: the item ${cells.item} is there twice`, { where: path });
    seen.add(cells.item);
    return { id: cells.item, kind, a: unnumbered(cells.a), b: unnumbered(cells.b) };
  });
  if (items.length === 0) throw new InputError('there are no items in this file', { where: path });
  return items;
}

/** @param measured on what */
export function writeKey(path: string, items: readonly KeyEntry[], measured: Readonly<Record<string, unknown>>): void {
  writeFileAtomic(path, `${JSON.stringify({ format: KEY_FORMAT, version: 1, measured, items }, null, 1)}\n`);
}

/** By the name of the item. @throws InputError */
export function readKey(path: string): Map<string, KeyEntry> {
  const hint = 'the key is written beside the items by saeforest annotate export';
  const { items } = parseInput(keySchema, readJsonFile(path, 'key'), path, hint);
  const wrong = items.find(({ kind, condition }) => !ABOUT[kind].conditions.includes(condition));
  if (wrong) throw new InputError(`unknown condition "${wrong.condition}" of the item ${wrong.id}`, { where: path });
  return new Map(items.map((item) => [item.id, item]));
}

export interface GivenAnswer {
  readonly item: string;
  readonly annotator: string;
  readonly answer: string;
  /** ISO 8601; empty where it was not recorded. */
  readonly time: string;
}

export function writeAnswers(path: string, answers: Iterable<GivenAnswer>): void {
  writeFileAtomic(
    path,
    toCsv(
      ANSWER_COLUMNS,
      [...answers].map((answer) => ({ ...answer })),
    ),
  );
}

/**
 * Answers of one or several people; rows that nobody answered are passed over.
 * @param kinds of the items that can be meant
 * @throws InputError for another item, an answer that its kind does not have, or two answers of one person to one item
 */
export function readAnswers(
  paths: readonly string[],
  kinds: ReadonlyMap<string, { readonly kind: Kind }>,
): GivenAnswer[] {
  const all: GivenAnswer[] = [];
  const first = new Map<string, string>();
  for (const path of paths) {
    for (const { cells, where } of readTable(path, 'answers', ['item', 'annotator', 'answer'])) {
      const { item, time = '' } = cells;
      const [annotator, answer] = [cells.annotator, cells.answer].map((cell) => cell.trim().toLowerCase());
      if (answer === '') continue;
      const here = { where: `${path}, ${where}` };
      const known = kinds.get(item);
      if (!known) {
        throw new InputError(`an answer to the item ${item}, which is not one of these items`, {
          ...here,
          hint: 'answers, items and key must come from the same export',
        });
      }
      if (annotator === '') throw new InputError(`an answer without the name of its annotator`, here);
      const { answers } = ABOUT[known.kind];
      if (!answers.includes(answer)) {
        throw new InputError(`unknown answer "${answer}" to an item of ${known.kind}`, {
          ...here,
          hint: `answers are ${answers.join(', ')}`,
        });
      }
      const before = first.get(`${annotator}\n${item}`);
      if (before !== undefined) {
        throw new InputError(`${annotator} answered the item ${item} twice`, { ...here, hint: `first in ${before}` });
      }
      first.set(`${annotator}\n${item}`, here.where);
      all.push({ item, annotator, answer, time });
    }
  }
  return all;
}

/** One line per text; numbers also keep a cell from beginning as a formula. */
const numbered = (texts: readonly string[]): string => texts.map((text, i) => `${i + 1}. ${text}`).join('\n');
const unnumbered = (cell: string): string[] =>
  cell === '' ? [] : cell.split(/\r?\n/).map((line) => line.replace(/^\d+\. /, ''));
