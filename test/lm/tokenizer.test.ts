import { describe, expect, it } from 'vitest';
import { readFileSync } from 'node:fs';
import { InputError } from '../../src/core/errors.ts';
import { Tokenizer } from '../../src/lm/tokenizer.ts';
import { sharedPath, describeWithShared } from '../support/shared.ts';
import { modelFolder, TOKENIZER } from './folder.ts';

const TEMPLATE = {
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  pair: [],
  special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
};

const open = (tokenizer: unknown, config: unknown = {}) =>
  Tokenizer.open(modelFolder({ 'tokenizer.json': tokenizer as object, 'tokenizer_config.json': config as object }));

describe('Tokenizer', () => {
  it('encodes without special tokens and shows tokens', () => {
    const tokenizer = open(TOKENIZER);
    expect([...tokenizer.encode('the dog sees the bird')]).toEqual([2, 3, 5, 2, 1]);
    expect(tokenizer.decode(Int32Array.of(0, 2, 3))).toBe('the dog');
    expect([tokenizer.token(3), tokenizer.token(99)]).toEqual(['dog', '<99>']);
    expect(tokenizer.decode(new Int32Array(0))).toBe('');
    expect(tokenizer.size).toBe(6);
  });

  it('begins a document with BOS exactly if the model uses one', () => {
    const templated = { ...TOKENIZER, post_processor: TEMPLATE };
    expect(open(templated).bosId).toBe(0);
    expect([...open(templated).encodeDocument('dog')]).toEqual([0, 3]);
    expect(open(templated, { add_bos_token: false }).bosId).toBeUndefined();
    expect(open(TOKENIZER, { add_bos_token: true, bos_token: { content: '<s>' } }).bosId).toBe(0);
    expect(open(TOKENIZER, { bos_token: '<s>' }).bosId).toBeUndefined();
    expect([...open(TOKENIZER).encodeDocument('dog')]).toEqual([3]);
  });

  it('fills with the pad token, else the end token, else 0', () => {
    expect(open(TOKENIZER, { pad_token: 'cat', eos_token: 'dog' }).padId).toBe(4);
    expect(open(TOKENIZER, { pad_token: null, eos_token: 'dog' }).padId).toBe(3);
    expect(open(TOKENIZER).padId).toBe(0);
  });

  it.each([
    ['a missing tokenizer.json', { 'tokenizer_config.json': {} }, 'no such file'],
    ['a missing tokenizer_config.json', { 'tokenizer.json': TOKENIZER }, 'no such file'],
    ['a truncated one', { 'tokenizer.json': '{"model": {"type"', 'tokenizer_config.json': {} }, 'not valid JSON'],
    ['one without a model', { 'tokenizer.json': { version: '1.0' }, 'tokenizer_config.json': {} }, 'damaged'],
    ['null', { 'tokenizer.json': 'null', 'tokenizer_config.json': {} }, 'damaged'],
    [
      'an unknown kind',
      { 'tokenizer.json': { ...TOKENIZER, model: { type: 'Strange' } }, 'tokenizer_config.json': {} },
      'unknown kind',
    ],
    [
      'a damaged configuration',
      { 'tokenizer.json': TOKENIZER, 'tokenizer_config.json': { bos_token: 3 } },
      'bos_token',
    ],
    ['a configuration that is no object', { 'tokenizer.json': TOKENIZER, 'tokenizer_config.json': '[]' }, 'damaged'],
  ])('refuses %s', (_, files, message) => {
    const folder = modelFolder(files);
    expect(() => Tokenizer.open(folder)).toThrow(InputError);
    expect(() => Tokenizer.open(folder)).toThrow(message);
  });

  it('refuses text that its vocabulary cannot express', () => {
    const { unk_token: _, ...model } = TOKENIZER.model;
    const tokenizer = open({ ...TOKENIZER, model });
    expect(() => tokenizer.encode('the bird')).toThrow('no token for "bird"');
  });
});

describeWithShared('lm/stories3m', 'a real tokenizer', (folder) => {
  const tokenizer = Tokenizer.open(folder);

  it('uses <s>', () => {
    expect([tokenizer.bosId, tokenizer.size]).toEqual([1, 4096]);
    expect(tokenizer.token(1)).toBe('<s>');
  });

  it('decodes what it encoded', () => {
    const stories = readFileSync(sharedPath('data/tinystories-sample.txt'), 'utf8').split('\n<|endoftext|>\n');
    for (const text of [...stories.slice(0, 40), 'é 漢字 😀\ttab  two spaces', 'hahahahaha']) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      expect(tokenizer.encodeDocument(text)[0]).toBe(1);
    }
  });
});

describeWithShared('lm/gpt-nano-sort', 'a tokenizer without special tokens', (folder) => {
  it('has no BOS', () => {
    const tokenizer = Tokenizer.open(folder);
    expect(tokenizer.bosId).toBeUndefined();
    expect([...tokenizer.encodeDocument('2 0 1')]).toEqual([2, 0, 1]);
  });
});
