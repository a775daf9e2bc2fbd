/** Whether a metric is beyond what its null gives. */
import { compareMetrics, type Question, type Side } from './compare.ts';
import { chance, constant } from './derived.ts';
import type { Comparison } from './judge.ts';
import type { Lab } from './lab.ts';

/** Null hypotheses that stand beside metrics, as tables show them. */
const NULLS = {
  shuffled: 'parents permuted within level',
  frequency_matched: 'latents of the same frequency',
} as const;
export type NullName = keyof typeof NULLS;

type AgainstNull = Pick<Question, 'what' | 'metric' | 'decides'> & { readonly is: 'higher' | 'lower' };

/** Against the end of the 95 % range of the null's draws that is harder to beat. */
export async function compareWithNull(
  lab: Lab,
  { name, spec, view }: Side,
  nullName: NullName,
  { what, metric, is, decides = true }: AgainstNull,
): Promise<Comparison> {
  const measured = await lab.metric(spec, metric, view);
  const nulls = measured.map((one) => chance(one, nullName, is === 'higher' ? 'high' : 'low'));
  return compareMetrics(spec.data, [name, measured], [`null: ${NULLS[nullName]}`, nulls], {
    what: `${what}, beyond chance`,
    claimed: { is },
    matching: 'nothing',
    decides,
  });
}

/** Against a number that the claim names. */
export async function compareWithNumber(
  lab: Lab,
  { name, spec, view }: Side,
  limit: number,
  { what, metric, is, decides = true }: AgainstNull,
): Promise<Comparison> {
  const measured = await lab.metric(spec, metric, view);
  const limits = measured.map((one) => constant(limit, one, 'the limit of the claim'));
  return compareMetrics(spec.data, [name, measured], [`the limit ${limit}`, limits], {
    what,
    claimed: { is },
    matching: 'nothing',
    decides,
  });
}
