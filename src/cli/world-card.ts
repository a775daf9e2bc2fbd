/** `saeforest world card`: the numbers of a model card. */
import { z } from 'zod';
import { defineCommand, list, text } from './command.ts';

export const worldCard = defineCommand({
  usage: 'world card <model>',
  summary: 'Measure a language model of the generated world: losses, probes for the taxonomy, new combinations.',
  flags: [
    { flag: '--set <key=value>', help: 'a knob of the world that the model was trained on; repeat' },
    { flag: '--out <file>', help: 'also write all numbers there, as JSON' },
  ],
  examples: ['saeforest world card assets/world --out card.json'],
  schema: z.strictObject({ model: text, set: list.optional(), out: text.optional() }),
  async run({ model: name, set, out }, terminal) {
    const { resolveArgument } = await import('./model-argument.ts');
    const { openWorld } = await import('./world-options.ts');
    const { LanguageModel } = await import('../lm/model.ts');
    const { CARD_LIMITS, measureWorldModel } = await import('../evals/world-card/card.ts');
    const { writeFileAtomic } = await import('../core/files.ts');
    const world = openWorld({ set });
    const { path } = await resolveArgument(name, terminal);
    const model = await LanguageModel.open(path);
    const card = await measureWorldModel(world, model, CARD_LIMITS, (doing) => terminal.progress(doing));
    if (out !== undefined) writeFileAtomic(out, `${JSON.stringify(card, rounded, 1)}\n`);
    const heldOut = card.losses['held-out'].all;
    const best = card.probes.filter(({ test }) => test === 'words').map(({ auc }) => auc.value);
    const { model: pairs, trigram } = card.verbs.minimalPairs.all;
    terminal.result(card, [
      `loss on held-out sentences      ${heldOut.model.value.toFixed(4)} nats per token`,
      `  trigrams                      ${heldOut.baselines.trigram.value.toFixed(4)}`,
      `  the generator's own           ${heldOut.generator!.value.toFixed(4)} at most`,
      `new against impossible verbs    ${(100 * pairs.value).toFixed(1)} % (trigrams ${(100 * trigram.value).toFixed(1)} %)`,
      `concepts found in unseen words  AUC up to ${Math.max(...best).toFixed(3)} (chance 0.5)`,
    ]);
  },
});

/** Six digits are more than the intervals leave. */
function rounded(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
}
