import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { TextCorpus } from '../../src/lm/corpus.ts';
import { describeWithShared } from '../support/shared.ts';
import { temporaryFolder } from './folder.ts';

const MIB = 2 ** 20;

function file(name: string, content: string | Uint8Array): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

const documents = (corpus: TextCorpus): string[] => Array.from({ length: corpus.count }, (_, i) => corpus.read(i));

describe('TextCorpus', () => {
  it('splits plain text at separator lines', async () => {
    const path = file('a.txt', 'one\ntwo\n<|endoftext|>\n\n  \n<|endoftext|>\r\n\nthree <|endoftext|>\n\n\n');
    expect(documents(await TextCorpus.open([path]))).toEqual(['one\ntwo', 'three <|endoftext|>']);
  });

  it('takes a file without separators as one document, and any line as separator', async () => {
    const path = file('a.txt', 'one\n---\ntwo');
    expect(documents(await TextCorpus.open([path]))).toEqual(['one\n---\ntwo']);
    expect(documents(await TextCorpus.open([path], { separator: '---' }))).toEqual(['one', 'two']);
  });

  it('reads one text per line of JSON', async () => {
    const path = file('a.jsonl', '{"text": "one\\nline"}\n\n{"text": "", "n": 1}\n{"text": "zwei ä"}');
    expect(documents(await TextCorpus.open([path]))).toEqual(['one\nline', 'zwei ä']);
  });

  it('numbers the documents of several files through', async () => {
    const paths = [file('a.txt', 'one\n<|endoftext|>\ntwo'), file('b.jsonl', '{"text":"three"}')];
    expect(documents(await TextCorpus.open(paths))).toEqual(['one', 'two', 'three']);
  });

  it('returns what was written, for any documents and line endings', async () => {
    const text = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .map((s) => s.replace(/^[\r\n]+|[\r\n]+$/g, ''))
      .filter((s) => [...Buffer.from(s)].some((byte) => byte > 0x20) && !s.includes('\n') && !s.startsWith('\uFEFF'));
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 1 }), fc.constantFrom('\n', '\r\n'), async (texts, eol) => {
        const plain = file('a.txt', texts.join(`${eol}<|endoftext|>${eol}`));
        expect(documents(await TextCorpus.open([plain]))).toEqual(texts);
        const json = file('a.jsonl', texts.map((one) => JSON.stringify({ text: one })).join(eol));
        expect(documents(await TextCorpus.open([json]))).toEqual(texts);
      }),
      { numRuns: 50 },
    );
  });

  it('reads characters and lines that lie across the chunks of a large file', async () => {
    const long = '😀'.repeat(MIB);
    const path = file('a.txt', `x${long}\n<|endoftext|>\n${'ä\n'.repeat(MIB)}`);
    const corpus = await TextCorpus.open([path]);
    expect(corpus.count).toBe(2);
    expect(corpus.read(0) === `x${long}`).toBe(true);
    expect(corpus.read(1).length).toBe(2 * MIB - 1);
  });

  it.each([
    ['an empty file', 'a.txt', '', 'the text is empty'],
    ['blank text', 'a.txt', ' \n\n<|endoftext|>\n\t\n', 'the text is empty'],
    ['empty JSON texts', 'a.jsonl', '{"text": " "}\n', 'the text is empty'],
    ['a damaged JSON line', 'a.jsonl', '{"text": "a"}\n{"text": ', 'the line at byte 14 is not JSON'],
    ['JSON without text', 'a.jsonl', '{"txt": "a"}', 'has no "text"'],
    ['invalid UTF-8', 'a.txt', Uint8Array.of(0x61, 0x62, 0xff, 0x63), 'not valid UTF-8 at byte 2'],
    ['a cut-off last character', 'a.txt', Uint8Array.of(0x61, 0xe2, 0x82), 'not valid UTF-8 at byte 1'],
    ['an overlong encoding', 'a.txt', Uint8Array.of(0x61, 0xc0, 0x80), 'not valid UTF-8 at byte 1'],
  ])('refuses %s', async (_, name, content, message) => {
    const opening = TextCorpus.open([file(name, content)]);
    await expect(opening).rejects.toThrow(InputError);
    await expect(opening).rejects.toThrow(message);
  });

  it('names the byte of invalid UTF-8 in a later chunk', async () => {
    const bytes = new Uint8Array(3 * MIB).fill(0x61);
    bytes[2 * MIB + 5] = 0x80;
    await expect(TextCorpus.open([file('a.txt', bytes)])).rejects.toThrow(`at byte ${2 * MIB + 5}`);
  });

  it('refuses documents and lines past 64 MiB', async () => {
    const lines = Buffer.alloc(65 * MIB, `${'a'.repeat(1023)}\n`);
    await expect(TextCorpus.open([file('a.txt', lines)])).rejects.toThrow('a document is larger than');
    await expect(TextCorpus.open([file('a.txt', lines.fill('a'))])).rejects.toThrow('a line is longer than');
  });

  it('refuses missing files, folders and nothing at all', async () => {
    const folder = temporaryFolder();
    await expect(TextCorpus.open([join(folder, 'no.txt')])).rejects.toThrow('no such file');
    await expect(TextCorpus.open([folder])).rejects.toThrow(InputError);
    await expect(TextCorpus.open([])).rejects.toThrow(UsageError);
  });

  it('notices a file that became shorter or went away', async () => {
    const path = file('a.txt', 'a longer text');
    const corpus = await TextCorpus.open([path]);
    writeFileSync(path, 'short');
    expect(() => corpus.read(0)).toThrow('shorter than before');
  });
});

describeWithShared('data/tinystories-sample.txt', 'real stories', (path) => {
  it('are 4000', async () => {
    const corpus = await TextCorpus.open([path]);
    expect(corpus.count).toBe(4000);
    expect(documents(corpus).every((text) => text.length > 50 && !text.includes('<|endoftext|>'))).toBe(true);
  });
});
