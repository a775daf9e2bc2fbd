/** Tables that people open in spreadsheets: CSV in which no cell can act as a formula, or the same rows as JSON. */
import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import { z } from 'zod';
import { InputError } from '../../core/errors.ts';
import { readJsonFile, readTextFile } from '../../core/files.ts';

/** A row and where it stands, for messages. */
export interface Row {
  readonly cells: Readonly<Record<string, string>>;
  /** `line 7`, or `entry 7` in JSON. */
  readonly where: string;
}

const MAX_BYTES = 64 * 2 ** 20;
const jsonSchema = z.array(z.record(z.string(), z.union([z.string(), z.number()]).transform(String)));

/** Cells that begin as a formula does get an apostrophe in front. */
export function toCsv(columns: readonly string[], rows: readonly Readonly<Record<string, string>>[]): string {
  return stringify([...rows], { header: true, columns: [...columns], escape_formulas: true, bom: true });
}

export const isJson = (path: string): boolean => path.toLowerCase().endsWith('.json');

/**
 * @param columns that there must be; others are read too
 * @throws InputError for a file that is no table, or lacks a column
 */
export function readTable(path: string, what: string, columns: readonly string[]): Row[] {
  const rows = isJson(path) ? jsonRows(path, what) : csvRows(path, what);
  for (const { cells, where } of rows) {
    const missing = columns.find((column) => !Object.hasOwn(cells, column));
    if (missing !== undefined) {
      throw new InputError(`${what}: ${where} has no "${missing}"`, {
        where: path,
        hint: `expected the columns ${columns.join(', ')}`,
      });
    }
  }
  return rows;
}

function jsonRows(path: string, what: string): Row[] {
  const parsed = jsonSchema.safeParse(readJsonFile(path, what));
  if (!parsed.success) {
    throw new InputError(`${what} is not a list of entries with texts: ${z.prettifyError(parsed.error)}`, {
      where: path,
    });
  }
  return parsed.data.map((cells, i) => ({ cells, where: `entry ${i + 1}` }));
}

function csvRows(path: string, what: string): Row[] {
  const text = readTextFile(path, what, MAX_BYTES);
  try {
    const found = parse(text, { columns: true, bom: true, info: true, skip_empty_lines: true }) as unknown as {
      record: Record<string, string>;
      info: { lines: number };
    }[];
    return found.map(({ record, info }) => ({ cells: withoutApostrophes(record), where: `line ${info.lines}` }));
  } catch (error) {
    throw new InputError(`${what} is not valid CSV: ${(error as Error).message}`, { where: path, cause: error });
  }
}

function withoutApostrophes(record: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(record).map(([column, cell]) => [column, cell.replace(/^'(?=[=+\-@\t\r＝＋－＠])/u, '')]),
  );
}
