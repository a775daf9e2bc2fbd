import { describe, expect, it } from 'vitest';
import { AnswerError, askedAgain, detect, explain, fuzz, predict, relate } from '../../../src/evals/labels/prompts.ts';

const TEXTS = ['one', 'two', 'three'];
const trial = { texts: TEXTS, truth: [true, false, false] };

describe('answers', () => {
  it.each([
    ['Explanation: words for dogs', 'words for dogs'],
    ['I think about it.\n\n**Explanation:** words for dogs', 'words for dogs'],
    ['Explanation: first\nno, better:\nexplanation:  second ', 'second'],
  ])('explain: %j', (answer, expected) => {
    expect(explain({ shown: TEXTS }).read(answer)).toBe(expected);
  });

  it.each([
    ['[1, 3]', [true, false, true]],
    ['[]', [false, false, false]],
    ['<think>maybe [2]?</think>\n```json\n[3]\n```', [false, false, true]],
  ])('predict: %j', (answer, expected) => {
    expect(predict('x', trial).read(answer)).toEqual(expected);
  });

  it.each([
    ['[1,0,1]', [true, false, true]],
    ['Text 1 fits.\n[0, 0, 1]', [false, false, true]],
  ])('detect and fuzz: %j', (answer, expected) => {
    expect(detect('x', TEXTS).read(answer)).toEqual(expected);
    expect(fuzz('x', TEXTS).read(answer)).toEqual(expected);
  });

  it.each([
    ['HaveRelationship: [Yes] Confidence: [High]', true, 'high'],
    ['haverelationship: no\nconfidence: low', false, 'low'],
    ['**HaveRelationship:** Yes, **Confidence:** Medium', true, 'medium'],
  ])('relate: %j', (answer, related, confidence) => {
    expect(relate(TEXTS, TEXTS).read(answer)).toEqual({ related, confidence });
  });

  it('of another form are refused', () => {
    for (const answer of ['', 'words for dogs'])
      expect(() => explain({ shown: TEXTS }).read(answer)).toThrow(AnswerError);
    for (const answer of ['', '[4]', '[0]', '1, 2', '[1.5]'])
      expect(() => predict('x', trial).read(answer)).toThrow(AnswerError);
    for (const answer of ['', '[1,0]', '[1,0,2]', '[1 0 1]', 'yes'])
      expect(() => detect('x', TEXTS).read(answer)).toThrow(AnswerError);
    for (const answer of ['', 'Yes', 'HaveRelationship: perhaps Confidence: High']) {
      expect(() => relate(TEXTS, TEXTS).read(answer)).toThrow(AnswerError);
    }
  });
});

describe('questions', () => {
  it('show marks where they are spoken of, and the description where there is one', () => {
    const [{ content: task }, { content: user }] = explain({ shown: ['a <<b>>'] }).messages;
    expect(task).toContain('<< and >>');
    expect(user).toBe('1. a <<b>>');
    for (const { messages } of [predict('dogs', trial), detect('dogs', TEXTS), fuzz('dogs', TEXTS)]) {
      expect(messages[1].content).toBe('Description: dogs\n\n1. one\n2. two\n3. three');
    }
    expect(relate(['x'], ['y']).messages[1].content).toBe('Unit A:\n1. x\n\nUnit B:\n1. y');
  });

  it('are put again with what was wrong', () => {
    const { messages } = detect('dogs', TEXTS);
    expect(askedAgain(messages, 'yes', 'there is no list').slice(2)).toEqual([
      { role: 'assistant', content: 'yes' },
      { role: 'user', content: expect.stringContaining('there is no list') as string },
    ]);
  });
});
