import { lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { InterruptedError, OutputError } from '../../../src/core/errors.ts';
import { RepoCache } from '../../../src/lm/hub/cache.ts';
import { temporaryFolder } from '../folder.ts';

const COMMIT = '0123456789'.repeat(4);
const HOOKS = { signal: undefined, note: () => {} };

let symlinkFailure: string | undefined;
vi.mock('node:fs', async (original) => {
  const fs = await original<typeof import('node:fs')>();
  const symlinkSync: typeof fs.symlinkSync = (...args) => {
    if (symlinkFailure !== undefined) throw Object.assign(new Error('no links'), { code: symlinkFailure });
    fs.symlinkSync(...args);
  };
  return { ...fs, symlinkSync };
});

function cacheWith(content: string): RepoCache {
  const cache = new RepoCache(temporaryFolder(), 'tiny/model');
  mkdirSync(join(cache.folder, 'blobs'), { recursive: true });
  writeFileSync(cache.blob('0a'), content);
  return cache;
}

describe('RepoCache', () => {
  it.each([
    ['a link', undefined],
    ['a copy where there are no links', 'EPERM'],
  ])('gives a commit its files: %s', (_, failure) => {
    const cache = cacheWith('content');
    symlinkFailure = failure;
    try {
      cache.link('0a', COMMIT, 'onnx/model.onnx');
      cache.link('0a', COMMIT, 'onnx/model.onnx');
    } finally {
      symlinkFailure = undefined;
    }
    const path = join(cache.snapshot(COMMIT), 'onnx/model.onnx');
    expect(readFileSync(path, 'utf8')).toBe('content');
    expect(lstatSync(path).isSymbolicLink()).toBe(failure === undefined);
    expect(cache.paths(COMMIT)).toEqual(['onnx', 'onnx/model.onnx']);
  });

  it('passes on other failures', () => {
    const cache = cacheWith('content');
    symlinkFailure = 'ENOSPC';
    try {
      expect(() => cache.link('0a', COMMIT, 'config.json')).toThrow(OutputError);
    } finally {
      symlinkFailure = undefined;
    }
    expect(cache.paths(COMMIT)).toEqual([]);
  });

  it('does not count links to nothing', () => {
    const cache = cacheWith('content');
    cache.link('0b', COMMIT, 'config.json');
    expect(cache.paths(COMMIT)).toEqual([]);
  });

  it('remembers branches, as far as it can be written', () => {
    const cache = cacheWith('content');
    expect(cache.commit('refs/pr/1')).toBeUndefined();
    cache.remember('refs/pr/1', COMMIT);
    expect(cache.commit('refs/pr/1')).toBe(COMMIT);
    expect(cache.commit('refs/pr')).toBeUndefined();
    expect(cache.commit('refs/pr/1/2')).toBeUndefined();
    cache.remember('refs/pr/1/2', COMMIT);
    expect(cache.commit(COMMIT)).toBe(COMMIT);
    cache.remember(COMMIT, COMMIT);
    writeFileSync(join(cache.folder, 'refs/damaged'), '../..');
    expect(cache.commit('damaged')).toBeUndefined();
  });

  it('has one writer; who waits may give up', async () => {
    const cache = cacheWith('content');
    const lock = await cache.lock(HOOKS);
    const notes: string[] = [];
    const controller = new AbortController();
    const waiting = cache.lock({ signal: controller.signal, note: (line) => notes.push(line) });
    controller.abort();
    await expect(waiting).rejects.toThrow(InterruptedError);
    expect(notes).toEqual([expect.stringMatching(/^waiting for another download of this model: .* process \d+/)]);
    lock.release();
    (await cache.lock(HOOKS)).release();
  });
});
