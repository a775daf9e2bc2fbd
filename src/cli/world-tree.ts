/** `saeforest world tree`: the taxonomy of the generated world. */
import { z } from 'zod';
import { unknownName } from '../core/config.ts';
import { UsageError } from '../core/errors.ts';
import { defineCommand, index, list, text } from './command.ts';

export const worldTree = defineCommand({
  usage: 'world tree',
  summary: 'Draw the taxonomy of the generated world, or one concept with all that follows from being of its kind.',
  flags: [
    { flag: '--concept <name>', help: 'this concept: words, what is above and below it, own and inherited behaviour' },
    { flag: '--seed <n>', help: 'names another world (default 0)' },
    { flag: '--set <key=value>', help: 'a knob of the world, e.g. depth=3; repeat' },
  ],
  examples: ['saeforest world tree', 'saeforest world tree --concept owl'],
  schema: z.strictObject({ concept: text.optional(), seed: index.optional(), set: list.optional() }),
  async run({ concept: name, ...options }, terminal) {
    const { openWorld } = await import('./world-options.ts');
    const { drawForest } = await import('../forest/draw.ts');
    const world = openWorld(options);
    const { taxonomy, names } = world;
    if (name === undefined) {
      const drawing = drawForest(world.concepts, {
        label: (concept) => names[concept],
        frequency: names.map((_, i) => -i),
        maxNodes: Infinity,
        maxChildren: Infinity,
      });
      const leaves = names.filter((_, concept) => taxonomy.isLeaf(concept)).length;
      const result = {
        hash: world.hash,
        concepts: names.map((each, i) => ({ name: each, parent: world.concepts.parent[i] })),
      };
      terminal.result(result, [
        ...drawing.split('\n'),
        '',
        `${leaves} leaves, ${names.length - leaves} concepts above them`,
      ]);
      return;
    }
    const concept = names.indexOf(name);
    if (concept === -1)
      throw new UsageError(unknownName('concept', name, names).replace(/ Known: .*/, ''), {
        hint: 'saeforest world tree',
      });
    const { describeConcept, showConcept } = await import('./world-concept.ts');
    const description = describeConcept(world, concept);
    terminal.result(description, showConcept(description, terminal.colors));
  },
});
