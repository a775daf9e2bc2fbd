import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PieceEncoder } from '../../src/lm/pieces.ts';
import { describeWithShared, sharedPath } from '../support/shared.ts';
import { TOKENIZER } from './folder.ts';

const readJson = (path: string): object => JSON.parse(readFileSync(path, 'utf8')) as object;

const WORDS = [' ', '  ', '▁', 'the', 'ing', 'Tim', "'s", '.', '"', '\n', '\t', 'é', '\u0301', '日本', '😀', '\ud83d'];
const SPECIAL = ['<s>', '</s>', '<unk>', '<0x41>', '<s'];

for (const name of ['stories3m', 'stories260k']) {
  describeWithShared(`lm/${name}`, `pieces of ${name}`, (folder) => {
    const json = readJson(join(folder, 'tokenizer.json'));
    const tokenizer = new HuggingFaceTokenizer(json, readJson(join(folder, 'tokenizer_config.json')));
    const whole = (text: string): Int32Array =>
      Int32Array.from(tokenizer.encode(text, { add_special_tokens: false }).ids);
    const pieces = PieceEncoder.of(json, whole)!;

    it('give the tokens of the whole text', () => {
      const text = fc.oneof(
        fc.array(fc.constantFrom(...WORDS, ...SPECIAL), { maxLength: 12 }).map((parts) => parts.join('')),
        fc.string({ unit: 'binary', maxLength: 30 }),
      );
      fc.assert(
        fc.property(text, (value) => {
          expect(pieces.encode(value)).toEqual(whole(value));
        }),
        { numRuns: 2000 },
      );
    });

    it('give the tokens of real text', () => {
      const stories = readFileSync(sharedPath('data/tinystories-sample.txt'), 'utf8').split('<|endoftext|>');
      for (const story of stories.slice(0, 100)) expect(pieces.encode(story)).toEqual(whole(story));
    });

    it('do not exist where a merge could reach across a space', () => {
      const changed = structuredClone(json) as { model: { vocab: Record<string, number> } };
      changed.model.vocab['of▁the'] = 4096;
      expect(PieceEncoder.of(changed, whole)).toBeUndefined();
    });
  });
}

describe('pieces', () => {
  it('do not exist for other kinds of tokenizers', () => {
    expect(PieceEncoder.of(TOKENIZER, () => new Int32Array())).toBeUndefined();
    expect(PieceEncoder.of(null, () => new Int32Array())).toBeUndefined();
  });
});
