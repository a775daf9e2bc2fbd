import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT, InputError } from '../../../src/core/errors.ts';
import { readLabelledTexts, TEXT_FILES } from '../../../src/evals/probing/labelled-texts.ts';
import { findTextFiles } from '../../../src/evals/probing/texts.ts';
import { temporaryFolder } from '../../activations/folders.ts';

const folder = temporaryFolder();
afterAll(folder.remove);
const clinc = TEXT_FILES[0];
const HEADER = 'split\tdomain\tintent\ttext';

function read(...lines: string[]) {
  writeFileSync(join(folder.path, clinc.file), `${lines.join('\n')}\n`);
  return readLabelledTexts(folder.path, clinc);
}

describe('labelled texts', () => {
  it('have a task per level, and the rows of two splits', () => {
    const { texts, tasks } = read(
      HEADER,
      'train\ttravel\tvisa\tdo i need a "visa"',
      'val\ttravel\tvisa\tnot read',
      'test\tbanking\tfees\twhat is the fee',
    );
    expect(texts).toEqual(['do i need a "visa"', 'what is the fee']);
    expect(tasks.map(({ name, train, test }) => ({ name, train, test }))).toEqual([
      { name: 'clinc150_domain', train: [0], test: [1] },
      { name: 'clinc150_intent', train: [0], test: [1] },
    ]);
    expect(tasks.map((task) => [task.labels(0), task.labels(1)])).toEqual([
      [['travel'], ['banking']],
      [['visa'], ['fees']],
    ]);
  });

  it.each([
    [['split\tintent\tdomain\ttext', 'train\ta\tb\tc'], 'the first line names the columns split, intent, domain, text'],
    [[HEADER, 'train\ta\tb\tc', 'train\ta\tb'], 'row 2 below the header has 3 cells, not 4'],
    [[HEADER, 'train\ta\tb\tc\td'], 'row 1 below the header has 5 cells, not 4'],
    [[HEADER], 'the table has no rows'],
    [[HEADER, 'test\ta\tb\t '], 'a text of the split test is empty'],
  ])('are refused with a reason: %j', (lines, reason) => {
    const refusal = (() => {
      try {
        read(...lines);
      } catch (error) {
        return error;
      }
      return undefined;
    })() as InputError;
    expect(refusal).toBeInstanceOf(InputError);
    expect(refusal.exitCode).toBe(EXIT.usage);
    expect(refusal.message).toBe(reason);
    expect(refusal.where).toContain(clinc.file);
  });

  it('may be missing from a folder, but not the folder itself', () => {
    read(HEADER, 'train\ta\tb\tc');
    const { present, absent } = findTextFiles(folder.path);
    expect(present).toEqual([clinc]);
    expect(absent).toHaveLength(TEXT_FILES.length - 1);
    expect(() => findTextFiles(join(folder.path, 'nowhere'))).toThrow(InputError);
  });
});
