/** Data sets of whole texts: codes and activations are means over the tokens of a text. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../core/errors.ts';
import type { HarvestedModel } from '../context.ts';
import type { DataSet } from './data-set.ts';
import { readLabelledTexts, TEXT_FILES, type TextFile } from './labelled-texts.ts';

/** @throws InputError for a file that is not as described */
export function textDataSet(folder: string, file: TextFile, model: HarvestedModel): DataSet {
  const { texts, tasks } = readLabelledTexts(folder, file);
  const name = file.file.replace('.tsv', '');
  return {
    name,
    tasks,
    unit: 'test texts',
    unitOf: (row) => row,
    features: (encoders, rows) =>
      encoders.ofTexts(
        rows.map((row) => texts[row]),
        model,
        name,
      ),
  };
}

/** Files of {@link TEXT_FILES} that a folder holds, and those that it does not. */
export function findTextFiles(folder: string): { present: TextFile[]; absent: TextFile[] } {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new InputError('no such folder of labelled data', { where: folder, hint: '--data names the folder' });
  }
  const isThere = ({ file }: TextFile): boolean => existsSync(join(folder, file));
  return { present: TEXT_FILES.filter(isThere), absent: TEXT_FILES.filter((file) => !isThere(file)) };
}
