import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError, OutputError } from '../../src/core/errors.ts';
import {
  listFolder,
  makeFolder,
  outputError,
  readJsonFile,
  readTextFile,
  removeTemporaries,
  writeFileAtomic,
} from '../../src/core/files.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'files-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** Content that runs into a full disk. */
function* parts(): Iterable<Uint8Array> {
  yield Uint8Array.of(1);
  throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
}

describe('writeFileAtomic', () => {
  it('writes text, bytes and parts', () => {
    const path = join(folder, 'x');
    writeFileAtomic(path, 'grün');
    expect(readFileSync(path, 'utf8')).toBe('grün');
    writeFileAtomic(path, Uint8Array.of(1, 2));
    writeFileAtomic(path, [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)]);
    expect([...readFileSync(path)]).toEqual([1, 2, 3]);
    expect(readdirSync(folder)).toEqual(['x']);
  });

  it('leaves the old file and no rest when writing fails half way', () => {
    const path = join(folder, 'x');
    writeFileAtomic(path, 'old');
    expect(() => writeFileAtomic(path, parts())).toThrow(OutputError);
    expect(() => writeFileAtomic(path, parts())).toThrow(/disk is full/);
    expect(readFileSync(path, 'utf8')).toBe('old');
    expect(readdirSync(folder)).toEqual(['x']);
  });

  it('says where it cannot write', () => {
    expect(() => writeFileAtomic(join(folder, 'missing', 'x'), '')).toThrow(OutputError);
    mkdirSync(join(folder, 'sub'));
    expect(() => writeFileAtomic(join(folder, 'sub'), 'x')).toThrow(OutputError);
    expect(readdirSync(folder)).toEqual(['sub']);
    const bug = new TypeError('bug');
    expect(outputError('x', bug)).toBe(bug);
  });
});

describe('folders', () => {
  it('are made with their parents, or refused', () => {
    makeFolder(join(folder, 'a', 'b'));
    makeFolder(join(folder, 'a', 'b'));
    expect(existsSync(join(folder, 'a', 'b'))).toBe(true);
    writeFileSync(join(folder, 'file'), '');
    expect(() => makeFolder(join(folder, 'file'))).toThrow(OutputError);
    expect(() => makeFolder(join(folder, 'file', 'x'))).toThrow(OutputError);
  });

  it('leftovers of interrupted writes are not seen, and go', () => {
    writeFileSync(join(folder, '.x.safetensors.0123abcd.tmp'), '');
    writeFileSync(join(folder, '.hidden'), '');
    expect(listFolder(folder)).toEqual(['.hidden']);
    removeTemporaries(folder);
    expect(readdirSync(folder)).toEqual(['.hidden']);
    expect(listFolder(join(folder, 'missing'))).toEqual([]);
    expect(() => listFolder(join(folder, '.hidden'))).toThrow(InputError);
  });
});

describe('reading', () => {
  it('gives text and JSON, or says why not', () => {
    const path = join(folder, 'x.json');
    writeFileSync(path, '{"a":"ü"}');
    expect(readJsonFile(path, 'config')).toEqual({ a: 'ü' });
    expect(() => readTextFile(path, 'config', 3)).toThrow(/config is too large/);
    writeFileSync(path, '{');
    expect(() => readJsonFile(path, 'config')).toThrow(/config is not valid JSON/);
    writeFileSync(path, Uint8Array.of(0xff));
    expect(() => readTextFile(path, 'config')).toThrow(/not valid UTF-8/);
    expect(() => readTextFile(join(folder, 'no'), 'config')).toThrow(/no such file/);
    expect(() => readTextFile(folder, 'config')).toThrow(InputError);
  });
});
