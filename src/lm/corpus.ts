/**
 * Text files as numbered documents. One pass notes where each document lies; texts are read when they are asked for, so
 * that files of any size can be used.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { z } from 'zod';
import { InputError, UsageError } from '../core/errors.ts';
import { readLines } from './lines.ts';

/** Larger documents are taken for a mistake: a model reads a few thousand tokens at a time. */
const MAX_DOCUMENT_BYTES = 64 * 2 ** 20;
const SPACE = 0x20;
const CARRIAGE_RETURN = 0x0d;

export interface CorpusOptions {
  /** Line that stands between two documents of a plain text file. */
  separator?: string;
}

/** Where a document lies: bytes [start, end) of a file. */
interface Extent {
  readonly file: number;
  readonly start: number;
  readonly end: number;
}

const record = z.looseObject({ text: z.string() });

export class TextCorpus {
  readonly paths: readonly string[];
  readonly #documents: readonly Extent[];

  private constructor(paths: readonly string[], documents: readonly Extent[]) {
    this.paths = paths;
    this.#documents = documents;
  }

  /**
   * @param paths .jsonl files with one `{"text": …}` per line; all others are plain text, its documents separated by a
   * line of their own (`<|endoftext|>`), a file without that line being one document. Blank documents are left out
   * @throws InputError for a missing file, invalid UTF-8, a damaged JSON line, a document past 64 MiB, or no text at all
   */
  static async open(
    paths: readonly string[],
    { separator = '<|endoftext|>' }: CorpusOptions = {},
  ): Promise<TextCorpus> {
    if (paths.length === 0) throw new UsageError('no text file was given');
    const documents: Extent[] = [];
    for (const [file, path] of paths.entries()) {
      const add = (start: number, end: number): void => void documents.push({ file, start, end });
      await (isJsonLines(path) ? indexJsonLines(path, add) : indexText(path, separator, add));
    }
    if (documents.length === 0) {
      throw new InputError('the text is empty', { where: paths.join(', '), hint: 'give a file with some text in it' });
    }
    return new TextCorpus(paths, documents);
  }

  /** Number of documents. */
  get count(): number {
    return this.#documents.length;
  }

  /** Text of document `i` < count, without line breaks at its ends. @throws InputError if the file has changed */
  read(i: number): string {
    const { file, start, end } = this.#documents[i];
    const path = this.paths[file];
    const bytes = readRange(path, start, end);
    return isJsonLines(path) ? textOf(bytes, path, start) : trimLines(new TextDecoder().decode(bytes));
  }
}

const isJsonLines = (path: string): boolean => path.endsWith('.jsonl');

async function indexText(path: string, separator: string, add: (start: number, end: number) => void): Promise<void> {
  const mark = Buffer.from(separator);
  let start = 0;
  let end = 0;
  let blank = true;
  const finish = (): void => {
    if (!blank) add(start, end);
    blank = true;
  };
  await readLines(path, MAX_DOCUMENT_BYTES, (line, at) => {
    if (withoutReturn(line).equals(mark)) {
      finish();
      start = end = at + line.length + 1;
      return;
    }
    end = at + line.length;
    blank &&= isBlank(line);
    if (end - start > MAX_DOCUMENT_BYTES) {
      throw new InputError(`a document is larger than ${MAX_DOCUMENT_BYTES} bytes (it starts at byte ${start})`, {
        where: path,
        hint: `separate documents by a line "${separator}"`,
      });
    }
  });
  finish();
}

async function indexJsonLines(path: string, add: (start: number, end: number) => void): Promise<void> {
  await readLines(path, MAX_DOCUMENT_BYTES, (line, at) => {
    if (isBlank(line)) return;
    if (textOf(line, path, at).trim() !== '') add(at, at + line.length);
  });
}

/** @throws InputError for a line that is no JSON object with a text */
function textOf(line: Uint8Array, path: string, start: number): string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(line));
  } catch (error) {
    throw new InputError(`the line at byte ${start} is not JSON: ${(error as Error).message}`, {
      where: path,
      cause: error,
    });
  }
  const parsed = record.safeParse(value);
  if (!parsed.success) {
    throw new InputError(`the line at byte ${start} has no "text"`, {
      where: path,
      hint: '{"text": "…"} on every line',
    });
  }
  return trimLines(parsed.data.text);
}

function readRange(path: string, start: number, end: number): Uint8Array {
  const bytes = new Uint8Array(end - start);
  let done = 0;
  try {
    const fd = openSync(path, 'r');
    try {
      for (let read = 1; read > 0 && done < bytes.length; done += read) {
        read = readSync(fd, bytes, done, bytes.length - done, start + done);
      }
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new InputError(`cannot read the text any more: ${(error as Error).message}`, { where: path, cause: error });
  }
  if (done < bytes.length) {
    throw new InputError('the text was changed while it was in use: it is shorter than before', { where: path });
  }
  return bytes;
}

const isBlank = (line: Uint8Array): boolean => line.every((byte) => byte <= SPACE);

const withoutReturn = (line: Buffer): Buffer =>
  line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, line.length - 1) : line;

function trimLines(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isLineBreak(text[start])) start++;
  while (end > start && isLineBreak(text[end - 1])) end--;
  return text.slice(start, end);
}

const isLineBreak = (character: string): boolean => character === '\n' || character === '\r';
