/** `saeforest lm inspect`: what a model holds and where its residual stream is. */
import { z } from 'zod';
import { defineCommand, text } from './command.ts';
import { resolveArgument } from './model-argument.ts';

export const lmInspect = defineCommand({
  usage: 'lm inspect <model>',
  summary: 'Show a language model: its size, tokenizer and the residual stream after every block.',
  flags: [],
  examples: ['saeforest lm inspect models/stories3m', 'saeforest lm inspect hf:onnx-community/Qwen3-0.6B-ONNX --json'],
  schema: z.strictObject({ model: text }),
  async run(options, terminal) {
    const { LanguageModel } = await import('../lm/model.ts');
    const { path } = await resolveArgument(options.model, terminal);
    const model = await LanguageModel.open(path);
    const { info, tokenizer } = model;
    const { bosId } = tokenizer;
    const facts = [
      ['architecture', info.architecture],
      ['parameters', model.parameters.toLocaleString('en')],
      ['layers', `${info.layers}`],
      ['width d', `${info.d}`],
      ['vocabulary', `${info.vocab}`],
      ['context', info.context === null ? 'not stated' : `${info.context} tokens`],
      ['tokenizer', `${tokenizer.size} tokens`],
      ['BOS', bosId === undefined ? 'none' : `${tokenizer.token(bosId)} (${bosId})`],
      ['inputs', model.inputs.join(', ')],
    ];
    terminal.result(info, [
      ...facts.map(([name, value]) => `${name.padEnd(14)}${value}`),
      '',
      'residual stream after each block (--layer):',
      ...info.residuals.map(({ layer, tensor }) => `${`${layer}`.padStart(4)}  ${tensor}`),
    ]);
  },
});
