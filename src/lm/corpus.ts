/**
 * Text files as numbered documents. One pass notes where each document lies; texts are read when they are asked for, so
 * that files of any size can be used.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { z } from 'zod';
import type { TextIdentity } from '../activations/manifest.ts';
import { InputError, UsageError } from '../core/errors.ts';
import type { Documents } from './documents.ts';
import { readLines, type LineReader } from './lines.ts';

/** Larger documents are taken for a mistake: a model reads a few thousand tokens at a time. */
const MAX_DOCUMENT_BYTES = 64 * 2 ** 20;
/** Files that take so long to look through that somebody wants to know about it. */
const LARGE_BYTES = 200e6;
const SEPARATOR = '<|endoftext|>';
const SPACE = 0x20;
const CARRIAGE_RETURN = 0x0d;

export interface CorpusOptions {
  /** Line that stands between two documents of a plain text file. */
  separator?: string;
  /** Called now and then while large files are read for the first time. */
  onProgress?: (bytes: number, of: number) => void;
}

const record = z.looseObject({ text: z.string() });

export class TextCorpus implements Documents {
  readonly paths: readonly string[];
  readonly identity: TextIdentity;
  readonly #extents: Extents;

  private constructor(paths: readonly string[], extents: Extents, identity: TextIdentity) {
    this.paths = paths;
    this.#extents = extents;
    this.identity = identity;
  }

  /**
   * @param paths .jsonl files with one `{"text": …}` per line; all others are plain text, its documents separated by a
   * line of their own (`<|endoftext|>`), a file without that line being one document. Blank documents are left out
   * @throws InputError for a missing file, invalid UTF-8, a damaged JSON line, a document past 64 MiB, or no text at all
   */
  static async open(
    paths: readonly string[],
    { separator = SEPARATOR, onProgress }: CorpusOptions = {},
  ): Promise<TextCorpus> {
    if (paths.length === 0) throw new UsageError('no text file was given');
    const extents = new Extents();
    const files = [];
    const size = paths.reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
    let done = 0;
    for (const [file, path] of paths.entries()) {
      const hash = createHash('sha256');
      const before = done;
      const onBytes = (bytes: Buffer): void => {
        hash.update(bytes);
        done += bytes.length;
        if (size >= LARGE_BYTES) onProgress?.(done, size);
      };
      const add = (start: number, end: number): void => extents.add(file, start, end);
      await (isJsonLines(path) ? indexJsonLines(path, add, onBytes) : indexText(path, separator, add, onBytes));
      files.push({ name: basename(path), bytes: done - before, sha256: hash.digest('hex') });
    }
    const documents = extents.count;
    if (documents === 0) {
      throw new InputError('the text is empty', { where: paths.join(', '), hint: 'give a file with some text in it' });
    }
    return new TextCorpus(paths, extents, { kind: 'files', files, separator, documents });
  }

  /** Number of documents. */
  get count(): number {
    return this.#extents.count;
  }

  /** Text of document `i` < count, without line breaks at its ends. @throws InputError if the file has changed */
  read(i: number): string {
    const { file, start, end } = this.#extents.at(i);
    const path = this.paths[file];
    const bytes = readRange(path, start, end);
    return isJsonLines(path) ? textOf(bytes, path, start) : trimLines(new TextDecoder().decode(bytes));
  }
}

/** Where documents lie, in 24 bytes each: there may be tens of millions. */
class Extents {
  #numbers = new Float64Array(3 * 1024);
  count = 0;

  /** Bytes [start, end) of a file. */
  add(file: number, start: number, end: number): void {
    if (3 * this.count === this.#numbers.length) {
      const longer = new Float64Array(2 * this.#numbers.length);
      longer.set(this.#numbers);
      this.#numbers = longer;
    }
    this.#numbers.set([file, start, end], 3 * this.count++);
  }

  at(i: number): { file: number; start: number; end: number } {
    const [file, start, end] = this.#numbers.subarray(3 * i, 3 * i + 3);
    return { file, start, end };
  }
}

type AddExtent = (start: number, end: number) => void;
type OnBytes = (bytes: Buffer) => void;

const isJsonLines = (path: string): boolean => path.endsWith('.jsonl');

async function indexText(path: string, separator: string, add: AddExtent, onBytes: OnBytes): Promise<void> {
  const mark = Buffer.from(separator);
  let start = 0;
  let end = 0;
  let blank = true;
  const finish = (): void => {
    if (!blank) add(start, end);
    blank = true;
  };
  const onLine: LineReader = (line, at) => {
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
  };
  await readLines(path, MAX_DOCUMENT_BYTES, onLine, onBytes);
  finish();
}

async function indexJsonLines(path: string, add: AddExtent, onBytes: OnBytes): Promise<void> {
  const onLine: LineReader = (line, at) => {
    if (isBlank(line)) return;
    if (textOf(line, path, at).trim() !== '') add(at, at + line.length);
  };
  await readLines(path, MAX_DOCUMENT_BYTES, onLine, onBytes);
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
