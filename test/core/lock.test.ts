import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { OutputError } from '../../src/core/errors.ts';
import { FolderLock, LOCK_FILE } from '../../src/core/lock.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lock-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const plant = (owner: object | string): void =>
  writeFileSync(join(folder, LOCK_FILE), typeof owner === 'string' ? owner : JSON.stringify(owner));
const owner = (pid: number, processStart: string | null = null, host = hostname()): object => ({
  pid,
  host,
  started: '2026-01-01T00:00:00.000Z',
  processStart,
  token: 'x',
});

it('keeps a second writer out until it is released', () => {
  const lock = FolderLock.acquire(folder);
  expect(() => FolderLock.acquire(folder)).toThrow(new RegExp(`in use by process ${process.pid} since`));
  expect(JSON.parse(readFileSync(join(folder, LOCK_FILE), 'utf8'))).toMatchObject({
    pid: process.pid,
    host: hostname(),
  });
  lock.release();
  lock.release();
  expect(readdirSync(folder)).toEqual([]);
  FolderLock.acquire(folder).release();
});

it('names a living process, takes over from a dead one', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  await once(child, 'spawn');
  plant(owner(child.pid!));
  expect(() => FolderLock.acquire(folder)).toThrow(`in use by process ${child.pid}`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  FolderLock.acquire(folder).release();
  expect(readdirSync(folder)).toEqual([]);
});

it('takes over from an earlier process with the same pid', () => {
  plant(owner(process.pid));
  FolderLock.acquire(folder).release();
});

it.runIf(process.platform === 'linux')('takes over when the pid belongs to another process now', () => {
  plant(owner(process.ppid, '1'));
  FolderLock.acquire(folder).release();
});

it('cannot judge another machine', () => {
  plant(owner(1, null, 'elsewhere'));
  expect(() => FolderLock.acquire(folder)).toThrow(/process 1 on elsewhere/);
});

it('a lock without content is being written, unless it is old', () => {
  plant('');
  expect(() => FolderLock.acquire(folder)).toThrow(/just starting/);
  utimesSync(join(folder, LOCK_FILE), 1, 1);
  FolderLock.acquire(folder).release();
});

it('does not remove the lock of a successor', () => {
  const lock = FolderLock.acquire(folder);
  plant(owner(1, null, 'elsewhere'));
  lock.release();
  expect(readdirSync(folder)).toEqual([LOCK_FILE]);
});

it('a folder that is missing', () => {
  expect(() => FolderLock.acquire(join(folder, 'missing'))).toThrow(OutputError);
});
