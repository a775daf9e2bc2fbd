import { z } from 'zod';
import { defineCommand, text } from './command.ts';
import { table } from './terminal.ts';

export const archs = defineCommand({
  usage: 'archs [name]',
  summary: 'List the architectures, or the configuration keys of one.',
  flags: [],
  examples: ['saeforest archs', 'saeforest archs h-sae'],
  schema: z.strictObject({ name: text.optional() }),
  async run({ name }, terminal) {
    const { architectures, architectureNamed } = await import('../sae/registry.ts');
    if (name !== undefined) {
      const { describeKeys } = await import('../training/config.ts');
      const keys = describeKeys(architectureNamed(name));
      terminal.result(
        keys,
        table(
          [
            ['key', 'default', 'meaning'],
            ...keys.map((entry) => [entry.key, JSON.stringify(entry.default) ?? '', entry.meaning]),
          ],
          ['left', 'right', 'left'],
        ),
      );
      return;
    }
    terminal.result(
      architectures.map((architecture) => ({
        name: architecture.name,
        paper: architecture.paper,
        hierarchical: architecture.hierarchical,
        views: architecture.views,
      })),
      architectures.flatMap((architecture) => [
        `${terminal.colors.bold(architecture.name)}  ${architecture.summary}`,
        `  ${architecture.paper}`,
        `  views: ${architecture.views.join(', ')}`,
      ]),
    );
  },
});
