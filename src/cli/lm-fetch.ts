/** `saeforest lm fetch`: a model of the Hub into the cache, every file checked. */
import { z } from 'zod';
import { formatBytes } from '../core/files.ts';
import { defineCommand, text } from './command.ts';
import { untilInterrupted } from './interrupt.ts';
import { hubHooks } from './model-argument.ts';

export const lmFetch = defineCommand({
  usage: 'lm fetch <model>',
  summary: 'Download a language model from the Hugging Face Hub, or check the one in the cache; print its folder.',
  flags: [],
  examples: [
    'saeforest lm fetch hf:onnx-community/Qwen3-0.6B-ONNX',
    'saeforest lm fetch hf:onnx-community/Qwen3-0.6B-ONNX/onnx/model_q4.onnx',
  ],
  schema: z.strictObject({ model: text }),
  async run(options, terminal) {
    const { fetchModel } = await import('../lm/hub/fetch-model.ts');
    const { parseReference } = await import('../lm/hub/reference.ts');
    const wanted = parseReference(options.model);
    const { path, reference, folder, commit, received } = await untilInterrupted(terminal, (signal) =>
      fetchModel(wanted, { ...hubHooks(terminal), signal }, true),
    );
    terminal.note(`${reference}: ${formatBytes(received)} received`);
    terminal.result({ path, reference, folder, commit, received_bytes: received }, [path]);
  },
});
