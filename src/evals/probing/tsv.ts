/** Tables of labelled data: a header, tabs between columns, no quoting. */
import { parse } from 'csv-parse/sync';
import { InputError } from '../../core/errors.ts';
import { readTextFile } from '../../core/files.ts';

/**
 * Cells of every row by column.
 * @param columns of the header, all of them and in this order
 * @throws InputError for another header, for rows with other numbers of cells, and for a table without rows
 */
export function readTsv<Column extends string>(path: string, columns: readonly Column[]): Record<Column, string>[] {
  const text = readTextFile(path, 'table of labels');
  const [header = [], ...rows] = parse(text, {
    delimiter: '\t',
    quote: null,
    bom: true,
    relax_column_count: true,
    skip_empty_lines: true,
  });
  if (header.join('\t') !== columns.join('\t')) {
    throw new InputError(`the first line names the columns ${header.join(', ')}`, {
      where: path,
      hint: `expected are ${columns.join(', ')}, with tabs between them`,
    });
  }
  const ragged = rows.findIndex(({ length }) => length !== columns.length);
  if (ragged >= 0) {
    throw new InputError(`row ${ragged + 1} below the header has ${rows[ragged].length} cells, not ${columns.length}`, {
      where: path,
      hint: 'tabs and line breaks inside a text must be replaced by spaces',
    });
  }
  if (rows.length === 0) throw new InputError('the table has no rows', { where: path });
  return rows.map((row) => Object.fromEntries(columns.map((column, c) => [column, row[c]])) as Record<Column, string>);
}
