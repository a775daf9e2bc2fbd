import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  readAnswers,
  readItems,
  readKey,
  writeAnswers,
  writeItems,
  writeKey,
} from '../../../src/evals/annotation/files.ts';
import { KINDS, type Item } from '../../../src/evals/annotation/items.ts';
import { temporaryFolder } from '../../activations/folders.ts';

const folder = temporaryFolder();
afterAll(folder.remove);
const at = (name: string): string => join(folder.path, name);
const file = (name: string, text: string): string => {
  writeFileSync(at(name), text);
  return at(name);
};

/** One line, as texts of contexts are; with all that spreadsheets trip over. */
const texts = fc.array(
  fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => text.replaceAll(/[\r\n]/g, ' ')),
  { minLength: 1, maxLength: 4 },
);
const items = fc.uniqueArray(
  fc.record({
    id: fc.stringMatching(/^[0-9a-f]{3,10}$/),
    kind: fc.constantFrom(...KINDS),
    a: texts,
    b: texts,
  }),
  { selector: ({ id }) => id, minLength: 1, maxLength: 5 },
);

describe('items', () => {
  it.each(['items.csv', 'items.json'])('survive %s', (name) => {
    fc.assert(
      fc.property(items, (all: Item[]) => {
        writeItems(at(name), all);
        expect(readItems(at(name))).toEqual(all);
      }),
      { numRuns: 30 },
    );
  });

  it('have no cell that begins as a formula', () => {
    const dangerous = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', "='x'!A1"];
    writeItems(at('f.csv'), [{ id: '=1', kind: 'relation', a: dangerous, b: dangerous }]);
    expect(readFileSync(at('f.csv'), 'utf8')).not.toMatch(/(^|[,"])[=+\-@\t]/m);
    expect(readItems(at('f.csv'))[0]).toMatchObject({ id: '=1', a: dangerous });
    writeAnswers(at('g.csv'), [{ item: '=1', annotator: '=cmd()', answer: 'yes', time: '' }]);
    expect(readFileSync(at('g.csv'), 'utf8')).toContain("'=cmd()");
    expect(readAnswers([at('g.csv')], new Map([['=1', { kind: 'relation' }]]))[0].annotator).toBe('=cmd()');
  });

  it.each([
    ['no file', undefined, /no such file/],
    ['an empty file', '', /no items/],
    ['other columns', 'a,b\n1,2\n', /has no "item"/],
    ['an unknown kind', 'item,kind,a,b\nx,shape,1,2\n', /line 2: unknown kind "shape"/],
    ['an item twice', 'item,kind,a,b\nx,relation,1,2\nx,relation,1,2\n', /line 3: the item x is there twice/],
    ['a row that is cut off', 'item,kind,a,b\nx,relation\n', /not valid CSV/],
    ['an open quote', 'item,kind,a,b\n"x,relation,1,2\n', /not valid CSV/],
    ['bytes that are no text', Buffer.from([0x69, 0xff]), /not valid UTF-8/],
  ])('refuse %s', (name, content, message) => {
    const path = at(`${name.replaceAll(' ', '-')}.csv`);
    if (content !== undefined) writeFileSync(path, content);
    expect(() => readItems(path)).toThrow(message);
  });
});

describe('a key', () => {
  it('comes back by item, and is refused when it is something else', () => {
    const entry = { id: 'x', kind: 'relation', condition: 'forest', latents: [1, 2] } as const;
    writeKey(at('key.json'), [entry], { run: 'r' });
    expect(readKey(at('key.json'))).toEqual(new Map([['x', entry]]));
    writeKey(at('key.json'), [{ ...entry, condition: 'fires' }], {});
    expect(() => readKey(at('key.json'))).toThrow(/unknown condition "fires"/);
    expect(() => readKey(file('other.json', '{"format": "x"}'))).toThrow(/format/);
  });
});

describe('answers', () => {
  const kinds = new Map([
    ['x', { kind: 'relation' }],
    ['y', { kind: 'coherence' }],
  ] as const);
  const read = (...contents: string[]): ReturnType<typeof readAnswers> =>
    readAnswers(
      contents.map((text, i) => file(`a${i}.csv`, text)),
      kinds,
    );

  it('are read with other columns and capitals; rows without an answer wait', () => {
    const rows = read('item,kind,a,annotator,answer\nx,relation,text,Anna,Yes \ny,coherence,text,Anna,\n');
    expect(rows).toEqual([{ item: 'x', annotator: 'anna', answer: 'yes', time: '' }]);
    const json = file('a.json', JSON.stringify([{ item: 'y', annotator: 'ben', answer: 4 }]));
    expect(readAnswers([json], kinds)).toEqual([{ item: 'y', annotator: 'ben', answer: '4', time: '' }]);
  });

  it.each([
    ['of other items', 'item,annotator,answer\nz,anna,yes\n', /item z, which is not one of these/],
    [
      'that the kind does not have',
      'item,annotator,answer\nx,anna,maybe\n',
      /unknown answer "maybe" to an item of relation/,
    ],
    ['off the scale', 'item,annotator,answer\ny,anna,6\n', /unknown answer "6"/],
    ['of nobody', 'item,annotator,answer\nx,,yes\n', /without the name/],
    ['given twice', 'item,annotator,answer\nx,anna,yes\nx,Anna,no\n', /anna answered the item x twice/],
    ['without a column', 'item,answer\nx,yes\n', /has no "annotator"/],
  ])('%s are refused', (_, text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('given twice in two files are refused, with both places', () => {
    const text = 'item,annotator,answer\nx,anna,yes\n';
    try {
      read(text, text);
      expect.unreachable();
    } catch (error) {
      expect((error as Error & { where: string }).where).toMatch(/a1\.csv, line 2$/);
      expect((error as Error & { hint: string }).hint).toMatch(/a0\.csv, line 2$/);
    }
  });
});
