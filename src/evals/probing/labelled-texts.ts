/** Real texts with labels, as the published data sets have them; a folder may hold some of these files. */
import { join } from 'node:path';
import { InputError } from '../../core/errors.ts';
import type { LabelledRows } from './one-vs-rest.ts';
import { readTsv } from './tsv.ts';

/** Texts, and one task for every level of their labels. */
export interface LabelledTexts {
  readonly texts: readonly string[];
  readonly tasks: readonly LabelledRows[];
}

interface Level {
  readonly column: string;
  readonly task: string;
  readonly about: string;
}

export interface TextFile {
  readonly file: string;
  readonly columns: readonly string[];
  readonly levels: readonly Level[];
}

/** Labels of one row are separated by commas where there are several. */
export const TEXT_FILES: readonly TextFile[] = [
  {
    file: 'clinc150.tsv',
    columns: ['split', 'domain', 'intent', 'text'],
    levels: [
      { column: 'domain', task: 'clinc150_domain', about: 'domains of the queries of CLINC150' },
      { column: 'intent', task: 'clinc150_intent', about: 'intents of the queries of CLINC150' },
    ],
  },
  {
    file: 'banking77.tsv',
    columns: ['split', 'category', 'text'],
    levels: [{ column: 'category', task: 'banking77', about: 'intents of the bank customers of Banking77' }],
  },
  {
    file: 'goemotions.tsv',
    columns: ['split', 'emotions', 'ekman', 'sentiment', 'text'],
    levels: [
      { column: 'emotions', task: 'goemotions_emotion', about: 'emotions of the comments of GoEmotions' },
      { column: 'ekman', task: 'goemotions_ekman', about: "Ekman's emotions in the comments of GoEmotions" },
      { column: 'sentiment', task: 'goemotions_sentiment', about: 'sentiments of the comments of GoEmotions' },
    ],
  },
];

/** Rows of other splits (validation, out of scope) are not used. @throws InputError for a file that is not as described */
export function readLabelledTexts(folder: string, { file, columns, levels }: TextFile): LabelledTexts {
  const path = join(folder, file);
  const rows = readTsv(path, columns).filter(({ split }) => split === 'train' || split === 'test');
  const empty = rows.findIndex(({ text }) => text.trim() === '');
  if (empty >= 0) {
    throw new InputError(`a text of the split ${rows[empty].split} is empty`, { where: path, hint: 'remove its row' });
  }
  const rowsOf = (split: string): number[] => [...rows.keys()].filter((row) => rows[row].split === split);
  const [train, test] = [rowsOf('train'), rowsOf('test')];
  const tasks = levels.map(({ column, task, about }) => {
    const labels = rows.map((row) => row[column].split(','));
    return { name: task, about, train, test, labels: (row: number) => labels[row] };
  });
  return { texts: rows.map(({ text }) => text), tasks };
}
