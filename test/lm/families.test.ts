import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { afterAll, describe, expect, it } from 'vitest';
import { LanguageModel } from '../../src/lm/model.ts';
import { HOOKS } from '../../src/lm/site.ts';
import {
  compare,
  familyModels,
  FIXTURES,
  readReference,
  unpack,
  type Comparison,
  type FamilyModel,
} from './families.ts';

const { models, refused } = familyModels();
const folder = mkdtempSync(join(tmpdir(), 'saeforest-families-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What an export computes in, by its name. */
const KINDS = {
  float32: { exports: /^(?!.*(16|q4|q8|int))/, error: 1e-5, angle: 1e-9, halves: 1e-5, sum: 1e-5 },
  float16: { exports: /(?<!q4)(f|fp)16/, error: 2e-2, angle: 1e-4, halves: 1e-2, sum: 1e-2 },
  // One unit of a quantised activation is 1/255 of its range, and rounding errors of float32 turn some to the next unit.
  '8 bits': { exports: /int8|q8/, error: 0.3, angle: 1e-2, halves: 5e-2, sum: 1e-5 },
  '4 bits': { exports: /q4|int4/, error: 1, angle: 0.1, halves: 1e-2, sum: 1e-2 },
} as const;
type Kind = keyof typeof KINDS;

function kindOf({ export: name }: FamilyModel): Kind {
  return (Object.keys(KINDS) as Kind[]).find((kind) => KINDS[kind].exports.test(name))!;
}

/** Their stream is normalised after every addition: what is added is not the difference of the streams. */
const POST_NORM = ['opt-350m', 'openai-gpt'];

const results = new Map<FamilyModel, Comparison>();

describe('families', () => {
  it.each(models)('$family by $export: cut found, logits equal, activations equal', async (model) => {
    const reference = readReference(join(FIXTURES, model.family));
    const comparison = await compare(unpack(model.family, model.export, folder), reference);
    results.set(model, comparison);
    const limit = KINDS[kindOf(model)];
    expect(comparison.layers).toBe(reference.layers);
    for (const hook of HOOKS) {
      expect(comparison.sites[hook].error, hook).toBeLessThan(limit.error);
      expect(comparison.sites[hook].angle, hook).toBeLessThan(limit.angle);
    }
    expect(comparison.halves.error, 'prefix and suffix').toBeLessThan(limit.halves);
    if (!POST_NORM.includes(model.family)) expect(comparison.sum.error, 'sum').toBeLessThan(limit.sum);
  });

  it('are listed in docs/families.md', async () => {
    const path = join(import.meta.dirname, '../../docs/families.md');
    if (process.env.UPDATE_FAMILIES) writeFileSync(path, await page(path));
    const written = readFileSync(path, 'utf8');
    expect(written).toContain(await formatted(matrix(), path));
  });
});

describe('what is no decoder-only language model', () => {
  it.each(refused)('%s is refused', async (name) => {
    const error: unknown = await LanguageModel.open(unpack(name, 'model', folder)).catch((reason: unknown) => reason);
    expect(`${name}: ${(error as Error).name}: ${(error as Error).message}`).toMatch(REFUSALS[name]);
  });
});

const REFUSALS: Readonly<Record<string, RegExp>> = {
  bert: /InputError: not a causal language model/,
  roberta: /InputError: not a causal language model/,
  'bert-features': /InputError: not a causal language model/,
  'gpt2-features': /InputError: the graph returns hidden states \("last_hidden_state"\) and no logits/,
  't5-encoder': /InputError: half of an encoder-decoder model/,
  't5-decoder': /InputError: half of an encoder-decoder model/,
};

/** One row for each family, one column for each export. */
function matrix(): string {
  const families = [...new Set(models.map(({ family }) => family))];
  const exports = [...new Set(models.map((model) => model.export))].sort();
  const has = (family: string, name: string): string =>
    models.some((model) => model.family === family && model.export === name) ? '✓' : '';
  return [
    `| family | ${exports.join(' | ')} |`,
    `|---|${exports.map(() => ':-:|').join('')}`,
    ...families.map((family) => `| ${family} | ${exports.map((name) => has(family, name)).join(' | ')} |`),
  ].join('\n');
}

/** Largest errors by what the exports compute in. */
function errors(): string {
  const kinds = Object.keys(KINDS) as Kind[];
  const rows = kinds.map((kind) => {
    const own = [...results].filter(([model]) => kindOf(model) === kind).map(([, comparison]) => comparison);
    const worst = (error: (comparison: Comparison) => number): string => Math.max(...own.map(error)).toExponential(0);
    const sites = HOOKS.map((hook) => worst(({ sites }) => sites[hook].error));
    return [kind, `${own.length}`, ...sites, worst(({ halves }) => halves.error)];
  });
  return [
    `| computes in | models | ${HOOKS.join(' | ')} | prefix · suffix |`,
    '|---|--:|--:|--:|--:|--:|--:|',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n');
}

async function page(path: string): Promise<string> {
  return formatted(
    `# Model families and exports

Written by \`npm run families\`, which runs what follows; the tests run it too, and check that this page is complete.

Every model of \`test/fixtures/lm\` (tiny, with random weights, exported with the tools that people use) is opened by the
structure of its graph alone. At every layer, the activations at each site are compared with what PyTorch computes from
the same weights, and the logits of prefix and suffix together with those of the file as it is.

${matrix()}

Refused with a message that says why: ${refused.join(', ')}.

Largest differences, relative to the largest number of the tensor, over all models, layers and tokens:

${errors()}

Quantised models are compared with PyTorch's unquantised ones: the differences at their sites are those of the
quantisation. Where activations are quantised too (\`int8\`, \`uint8\`: DynamicQuantizeLinear), one unit is 1/255 of
their range in the whole batch. A difference in the last bit of a float32 then moves some to the next unit, so that prefix
and suffix differ from the whole by a unit here and there; and the activations of a text depend a little on what else is in
its batch.

\`dynamo-23\` files run one sequence at a time: what they say about rotary positions holds for one sequence only.
`,
    path,
  );
}

async function formatted(markdown: string, path: string): Promise<string> {
  return format(markdown, { ...(await resolveConfig(path)), parser: 'markdown' });
}
