import * as fc from 'fast-check';
import { join, resolve, sep, win32 } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../src/core/errors.ts';
import { formatReference, isConfined, isHubReference, parseReference } from '../../../src/lm/hub/reference.ts';

const NONE = undefined;

describe('parseReference', () => {
  it.each([
    ['hf:owner/name', 'owner/name', 'main', NONE],
    ['hf:o/n@v1.0', 'o/n', 'v1.0', NONE],
    ['hf:o/n/model.onnx', 'o/n', 'main', 'model.onnx'],
    ['hf:o/n.a-b_c@main/onnx/model_q4.onnx', 'o/n.a-b_c', 'main', 'onnx/model_q4.onnx'],
    ['hf:o/n@refs%2Fpr%2F1/a/b.onnx', 'o/n', 'refs/pr/1', 'a/b.onnx'],
  ])('%s', (text, repo, revision, file) => {
    expect(isHubReference(text)).toBe(true);
    const reference = parseReference(text);
    expect(reference).toEqual({ repo, revision, file });
    expect(parseReference(formatReference(reference))).toEqual(reference);
  });

  it.each([
    'hf:',
    'hf:gpt2',
    'hf:o/',
    'hf:/n',
    'hf:../n',
    'hf:o/..',
    'hf:o/-n',
    'hf:o/n.',
    'hf:o/a--b',
    'hf:o/a..b',
    'hf:o/n@',
    'hf:o/n@..',
    'hf:o/n@..%2F..%2Fx',
    'hf:o/n@%',
    'hf:o/n/',
    'hf:o/n/onnx',
    'hf:o/n/../x.onnx',
    'hf:o/n//x.onnx',
    'hf:o/n/a\\x.onnx',
    'hf:o/n/c:x.onnx',
    'hf:o/n?x=1',
  ])('refuses %s, and says how to write one', (text) => {
    expect(() => parseReference(text)).toThrow(UsageError);
    expect(() => parseReference(text)).toThrow(`"${text}" does not name a model`);
  });
});

describe('isConfined', () => {
  const part = fc.oneof(fc.constantFrom('..', '.', '', 'C:', 'a', 'b.onnx', '\\', '..\\x', 'c:x', '...'), fc.string());

  it('lets no path out of the folder, on any system', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1 }), (parts) => {
        const path = parts.join('/');
        if (!isConfined(path)) return;
        expect(resolve('/cache/repo', path).startsWith(`/cache/repo${sep}`)).toBe(true);
        expect(join('cache', path).startsWith(`cache${sep}`)).toBe(true);
        expect(win32.resolve('D:\\cache', path).startsWith('D:\\cache\\')).toBe(true);
      }),
    );
  });

  it('takes ordinary ones', () => {
    for (const path of ['config.json', 'onnx/model.onnx_data', 'a b/…/é', 'v1..2', '.gitattributes']) {
      expect(isConfined(path)).toBe(true);
    }
    for (const path of ['', '/etc/passwd', '../x', 'a/../b', 'a//b', 'a/', 'C:/x', 'a\\b', 'a\nb']) {
      expect(isConfined(path)).toBe(false);
    }
  });
});
