import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { nearest, parseConfig, parseInput, unknownName } from '../../src/core/config.ts';
import { ConfigError, InputError } from '../../src/core/errors.ts';

const schema = z.strictObject({
  width: z.number().int().positive(),
  optimizer: z.strictObject({ learningRate: z.number().default(1e-3), warmup: z.number().default(0) }).optional(),
  parts: z.array(z.strictObject({ name: z.string() })).default([]),
});

describe('parseConfig', () => {
  it('returns the parsed value with its defaults', () => {
    expect(parseConfig(schema, { width: 3, optimizer: {} }, 'x.yaml')).toEqual({
      width: 3,
      optimizer: { learningRate: 1e-3, warmup: 0 },
      parts: [],
    });
  });

  it.each<[unknown, RegExp]>([
    [{ width: 3, widht: 4 }, /unknown key "widht"; did you mean "width"/],
    [{ width: 3, optimizer: { learningrate: 1 } }, /did you mean "optimizer.learningRate"/],
    [{ width: 3, parts: [{ name: 'a', nam: 1 }] }, /did you mean "parts.0.name"/],
    [{ width: '3' }, /^width: /],
    [undefined, /expected object/],
    [{ width: -1, optimizer: { warmup: 'x' } }, /width: [^\n]*\noptimizer.warmup: /],
  ])('names what is wrong in %j', (value, message) => {
    let error: unknown;
    try {
      parseConfig(schema, value, 'x.yaml');
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).message).toMatch(message);
    expect((error as ConfigError).where).toBe('x.yaml');
  });

  it('files of programs give an InputError', () => {
    expect(() => parseInput(schema, {}, 'x.json', 'write it again')).toThrow(InputError);
  });
});

it('suggests what is near, and only that', () => {
  expect(nearest('topkk', ['topk', 'gated'])).toBe('topk');
  expect(nearest('xyz', ['topk', 'gated'])).toBeUndefined();
  expect(nearest('x', [])).toBeUndefined();
  expect(unknownName('suite', 'cor', ['core', 'truth'])).toBe(
    'unknown suite "cor"; did you mean "core"? Known: core, truth',
  );
});
