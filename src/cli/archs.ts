import { z } from 'zod';
import type { Architecture } from '../sae/architecture.ts';
import { defineCommand, list, parseAssignments, text } from './command.ts';
import { table } from './terminal.ts';

export const archs = defineCommand({
  usage: 'archs [name]',
  summary: 'List the architectures, or the configuration keys and the cost of one.',
  flags: [
    { flag: '--d <n>', help: 'dimension of the activations for which costs are given (default 768)' },
    {
      flag: '--set <key=value>',
      help: 'configuration for which costs are given, where an architecture has the key; repeat',
    },
  ],
  examples: ['saeforest archs', 'saeforest archs h-sae --d 192 --set width=3072 --set k=16'],
  schema: z.strictObject({
    name: text.optional(),
    d: z.number().int().positive().default(768),
    set: list.optional(),
  }),
  async run({ name, d, set }, terminal) {
    const { parse } = await import('yaml');
    const { architectures, architectureNamed } = await import('../sae/registry.ts');
    const { describeKeys } = await import('../training/config.ts');
    const settings = parseAssignments(set ?? [], (value) => parse(value) as unknown);
    const chosen = name === undefined ? architectures : [architectureNamed(name)];
    await checkKnown(Object.keys(settings), chosen);
    const entries = [];
    for (const architecture of chosen) entries.push(await describe(architecture, settings, d));
    if (name === undefined) {
      const rows = entries.map(({ name: own, ...entry }) => [own, ...costCells(entry)]);
      terminal.result(entries, [
        ...architectures.flatMap((architecture) => [
          `${terminal.colors.bold(architecture.name)}  ${architecture.summary}`,
          `  ${architecture.paper}`,
          `  views: ${architecture.views.join(', ')}`,
        ]),
        '',
        `Cost at d ${d}, ${set === undefined ? 'default sizes' : set.join(', ')}; FLOPs per token, selection not counted; flat = a flat SAE`,
        ...table([['', ...COST_HEAD], ...rows]),
      ]);
      return;
    }
    const [entry] = entries;
    const keys = describeKeys(chosen[0]);
    terminal.result({ ...entry, keys }, [
      ...table(
        [
          ['key', 'default', 'meaning'],
          ...keys.map((key) => [key.key, JSON.stringify(key.default) ?? '', key.meaning]),
        ],
        ['left', 'right', 'left'],
      ),
      '',
      `Cost at d ${d}${set === undefined ? ' with these defaults' : ` with ${set.join(', ')}`}; FLOPs per token, selection not counted; flat = a flat SAE`,
      ...table([COST_HEAD, costCells(entry)], ['right']),
    ]);
  },
});

/** A key that none of the architectures has is a mistake; one that some have is set where it exists. */
async function checkKnown(keys: readonly string[], chosen: readonly Architecture[]): Promise<void> {
  const { UsageError } = await import('../core/errors.ts');
  const { unknownName } = await import('../core/config.ts');
  const known = [...new Set(chosen.flatMap(({ schema }) => Object.keys(schema.shape)))];
  const unknown = keys.find((key) => !known.includes(key));
  if (unknown !== undefined) throw new UsageError(`--set ${unknown}: ${unknownName('key', unknown, known)}`);
}

async function describe(architecture: Architecture, settings: Record<string, unknown>, d: number) {
  const { parseConfig } = await import('../core/config.ts');
  const { ConfigError } = await import('../core/errors.ts');
  const { equalWidths } = await import('../sae/equal-width.ts');
  const { name, paper, hierarchical, views, schema } = architecture;
  const own = Object.fromEntries(Object.entries(settings).filter(([key]) => key in schema.shape));
  const config = parseConfig(schema, own, name);
  const problem = architecture.check?.(config);
  if (problem) throw new ConfigError(problem, { where: name });
  const { parameters, encodeFlops, decodeFlops } = architecture.cost(config, d);
  const equal = equalWidths({ parameters, encodeFlops, decodeFlops }, d);
  return {
    name,
    paper,
    hierarchical,
    views,
    cost: {
      d,
      parameters,
      encode_flops: encodeFlops,
      decode_flops: decodeFlops,
      equal_parameter_width: equal.parameters,
      equal_flop_width: equal.encodeFlops,
    },
  };
}

const COST_HEAD = [
  'parameters',
  'encode FLOPs',
  'decode FLOPs',
  'flat of equal parameters',
  'flat of equal encode FLOPs',
];

function costCells({ cost }: { cost: Awaited<ReturnType<typeof describe>>['cost'] }): string[] {
  const { d: _, ...numbers } = cost;
  return Object.values(numbers).map((value) => value.toLocaleString('en'));
}
