/** `saeforest reproduce`: tests the papers' claims, one by one, and keeps what came out. */
import { z } from 'zod';
import { defineCommand, list, text } from './command.ts';
import { EMBEDDED_MODEL } from './embedded-model.ts';
import { table, type Terminal } from './terminal.ts';
import { withoutData, type Claim } from '../claims/claim.ts';
import type { Result } from '../claims/ledger.ts';
import { SCALES, type ScaleName } from '../claims/scales.ts';

export const reproduce = defineCommand({
  usage: 'reproduce [...ids]',
  summary: "Test the papers' claims here: train, measure, judge by rules that were fixed beforehand.",
  flags: [
    { flag: '--list', help: 'what is claimed, how it is tested, and what came out so far' },
    { flag: '--scale <name>', help: 'tiny, small or full (default small); see docs/claims.md' },
    { flag: '--results <folder>', help: 'where results are kept (default docs/results/claims)' },
    {
      flag: '--work <folder>',
      help: 'activations and trained SAEs, which claims share (default runs/reproduce-SCALE)',
    },
    { flag: '--model <model>', help: 'language model S for the claims on real text: a folder or hf:owner/name' },
    { flag: '--text <file>', help: 'its text; may be repeated' },
    { flag: '--layer <n>', help: 'block of it after which activations are read (default 2)' },
    { flag: '--further-model <model>', help: 'another one, with the same text, for claims about several models' },
    { flag: '--data <folder>', help: 'labelled texts, for claims about probing' },
    { flag: '--redo', help: 'test again what has a result; trained SAEs are kept' },
  ],
  examples: [
    'saeforest reproduce --list',
    'saeforest reproduce hsae-recon --scale tiny',
    'saeforest reproduce --scale small --model models/stories3m --text stories.txt',
  ],
  schema: z.strictObject({
    ids: z.array(text).default([]),
    list: z.boolean().default(false),
    scale: z.enum(SCALES).default('small'),
    results: text.default('docs/results/claims'),
    work: text.optional(),
    model: text.optional(),
    text: list.optional(),
    layer: z.number().int().min(0).default(2),
    furtherModel: text.optional(),
    data: text.optional(),
    redo: z.boolean().default(false),
  }),
  async run(
    { ids, list: listing, scale, results: folder, work, model, text: texts, layer, furtherModel, data, redo },
    terminal,
  ) {
    const { claims, claimsNamed, readLedgerResult, writeLedgerResult } = await import('../claims/ledger.ts');
    const chosen = ids.length === 0 ? claims : claimsNamed(ids);
    const stored = (claim: Claim): Result | undefined => readLedgerResult(folder, scale, claim.id);
    if (listing) {
      terminal.result(
        chosen.map((claim) => entry(claim, scale, stored(claim))),
        overview(chosen.map((claim) => [claim, stored(claim)])),
      );
      return;
    }
    const { UsageError } = await import('../core/errors.ts');
    if ((model === undefined) !== (texts === undefined)) {
      throw new UsageError('--model and --text belong together', { hint: 'saeforest reproduce --help' });
    }
    if (furtherModel !== undefined && texts === undefined) {
      throw new UsageError('--further-model reads the text of --text', { hint: 'saeforest reproduce --help' });
    }
    const { FURTHER } = await import('../claims/h-sae/models.ts');
    const { Lab } = await import('../claims/lab.ts');
    const { resolveModel } = await import('../lm/hub.ts');
    const { hubHooks } = await import('./model-argument.ts');
    const { untilInterrupted } = await import('./interrupt.ts');
    const pathOf = async (name: string): Promise<string> => (await resolveModel(name, hubHooks(terminal))).path;
    const real = model === undefined ? undefined : await pathOf(model);
    const further = furtherModel === undefined ? undefined : await pathOf(furtherModel);
    const done = await untilInterrupted(terminal, async (signal) => {
      const lab = new Lab({
        folder: work ?? `runs/reproduce-${scale}`,
        scale,
        texts: {
          W: { model: EMBEDDED_MODEL, text: ['world'], layer: 1 },
          ...(real !== undefined && texts && { S: { model: real, text: texts, layer } }),
        },
        ...(data !== undefined && { labelled: data }),
        signal,
        note: (line) => terminal.note(line),
      });
      if (further !== undefined && texts) lab.addText(FURTHER, { model: further, text: texts, layer });
      const tested: [Claim, Result][] = [];
      for (const claim of chosen) {
        const before = redo ? undefined : stored(claim);
        if (before) terminal.note(`${claim.id}: ${before.verdict} (tested before; --redo tests again)`);
        const began = performance.now();
        const result =
          before ??
          writeLedgerResult(folder, scale, claim, await claim.test(lab), {
            leftOut: lab.takeLeftOut(),
            seconds: (performance.now() - began) / 1000,
          });
        if (!before) terminal.note(`${claim.id}: ${result.verdict}`);
        tested.push([claim, result]);
      }
      return tested;
    });
    terminal.result(
      done.map(([claim, result]) => entry(claim, scale, result)),
      done.flatMap(([claim, result]) => [...report(claim, result, terminal), '']),
    );
  },
});

function entry(claim: Claim, scale: ScaleName, result: Result | undefined): Record<string, unknown> {
  const { id, paper, statement, published, protocol, rule } = claim;
  return {
    id,
    paper,
    statement,
    published,
    protocol,
    rule,
    command: `saeforest reproduce ${id} --scale ${scale}`,
    verdict: result?.verdict ?? null,
    result: result ?? null,
  };
}

function overview(rows: readonly (readonly [Claim, Result | undefined])[]): string[] {
  return table([
    ['', 'verdict', 'claim'],
    ...rows.map(([{ id, statement }, result]) => [id, result?.verdict ?? 'not tested yet', statement]),
  ]);
}

function report(
  { id, statement }: Claim,
  { verdict, because, comparisons, leftOut }: Result,
  { colors }: Terminal,
): string[] {
  return [
    `${colors.bold(id)}  ${statement}`,
    `${colors.bold(verdict)}. ${because}${withoutData(leftOut)}`,
    ...table([
      ['', 'data', 'matched', 'a', 'b', 'a − b', '95 % interval', 'outcome'],
      ...comparisons.map(({ what, data, matching, a, b, valueA, valueB, difference, decides, outcome }) => [
        decides ? what : `(${what})`,
        data,
        matching,
        `${a} ${show(valueA)}`,
        `${b} ${show(valueB)}`,
        show(difference.value),
        `${show(difference.low)} … ${show(difference.high)}`,
        outcome,
      ]),
    ]),
  ];
}

const show = (value: number | null): string => (value === null ? '–' : Number(value.toPrecision(3)).toString());
