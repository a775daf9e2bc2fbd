/** The lines of a UTF-8 file of any size, in one pass with bounded memory. */
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { hasErrorCode, InputError } from '../core/errors.ts';

const CHUNK_BYTES = 2 ** 20;
const NEWLINE = 0x0a;

/** @param bytes the line without its newline, valid only during the call; @param start its byte offset in the file */
export type LineReader = (bytes: Buffer, start: number) => void;

/**
 * Calls `onLine` for every line; a last line without a newline counts, unless it is empty.
 * @param onBytes is given all bytes of the file, as they are read
 * @throws InputError if the file cannot be read, is not UTF-8 (naming the byte), or has a line of more than `maxBytes`
 */
export async function readLines(
  path: string,
  maxBytes: number,
  onLine: LineReader,
  onBytes: (bytes: Buffer) => void = () => {},
): Promise<void> {
  // Pieces of a line that began in an earlier chunk, and where it starts.
  let pieces: Buffer[] = [];
  let start = 0;
  let offset = 0;
  const endLine = (last: Buffer): void => {
    onLine(pieces.length === 0 ? last : Buffer.concat([...pieces, last]), start);
    pieces = [];
  };
  for await (const chunk of validChunks(path, onBytes)) {
    let from = 0;
    for (let to = chunk.indexOf(NEWLINE); to >= 0; to = chunk.indexOf(NEWLINE, from)) {
      endLine(chunk.subarray(from, to));
      from = to + 1;
      start = offset + from;
    }
    offset += chunk.length;
    if (from < chunk.length) pieces.push(chunk.subarray(from));
    if (offset - start > maxBytes) {
      throw new InputError(`a line is longer than ${maxBytes} bytes (it starts at byte ${start})`, {
        where: path,
        hint: 'split the text into documents',
      });
    }
  }
  if (pieces.length > 0) endLine(Buffer.alloc(0));
}

/** Chunks that end between characters, checked to be UTF-8. */
async function* validChunks(path: string, onBytes: (bytes: Buffer) => void): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  for await (const read of chunksOf(path)) {
    onBytes(read);
    const bytes = rest.length === 0 ? read : Buffer.concat([rest, read]);
    const whole = bytes.subarray(0, wholeCharacters(bytes));
    checkUtf8(whole, path, offset);
    offset += whole.length;
    rest = bytes.subarray(whole.length);
    yield whole;
  }
  checkUtf8(rest, path, offset);
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>;
  } catch (error) {
    if (!hasErrorCode(error, 'ENOENT', 'EACCES', 'EISDIR', 'EIO', 'EPERM')) throw error;
    const reason = hasErrorCode(error, 'ENOENT') ? 'no such file' : (error as Error).message;
    throw new InputError(`cannot read the text: ${reason}`, { where: path, hint: 'check the path', cause: error });
  }
}

/** Length of `bytes` without a last character that is cut off. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const lead = bytes[bytes.length - back];
    if (lead < 0x80) break;
    if (lead >= 0xc0) return sequenceLength(lead) > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

function checkUtf8(bytes: Uint8Array, path: string, offset: number): void {
  if (isUtf8(bytes)) return;
  let bad = 0;
  for (let length = 0; bad < bytes.length; bad += length) {
    length = sequenceLength(bytes[bad]);
    if (!isUtf8(bytes.subarray(bad, bad + length))) break;
  }
  throw new InputError(`the text is not valid UTF-8 at byte ${offset + bad}`, {
    where: path,
    hint: 'convert it, for example with iconv -t utf-8',
  });
}

function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}
