/** `saeforest lm inspect`: what a model holds and where its activations can be read. */
import { z } from 'zod';
import { defineCommand, text } from './command.ts';
import { resolveArgument } from './model-argument.ts';

export const lmInspect = defineCommand({
  usage: 'lm inspect <model>',
  summary: 'Show a language model: its size, its tokenizer, and where its activations can be read.',
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
      ['file', model.file],
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
      'sites of each layer (resid_pre is the resid_post before it):',
      ...info.sites
        .filter(({ layer, hook }) => layer === 0 || hook !== 'resid_pre')
        .map(({ layer, hook, tensor }, i, shown) => {
          const isFirst = shown[i - 1]?.layer !== layer;
          return `${(isFirst ? `${layer}` : '').padStart(4)}  ${hook.padEnd(12)}${tensor}`;
        }),
    ]);
  },
});
