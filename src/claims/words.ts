/** Sentences and tables that are made from comparisons. */
import type { Table } from './claim.ts';
import { meanOf, type Side } from './compare.ts';
import type { Comparison } from './judge.ts';
import type { Lab } from './lab.ts';
import { ofLevels } from './levels.ts';

/** Three digits. */
export const say = (value: number | null): string =>
  value === null || !Number.isFinite(value) ? 'undefined' : Number(value.toPrecision(3)).toString();

/** Such as `variance explained on W 0.68 against 0.77 (difference −0.09, 95 % interval −0.1 … −0.08)`. */
export function sayComparison({ what, data, valueA, valueB, difference: { value, low, high } }: Comparison): string {
  const interval = low === null || high === null ? 'no interval' : `95 % interval ${say(low)} … ${say(high)}`;
  return `${what} on ${data} ${say(valueA)} against ${say(valueB)} (difference ${say(value)}, ${interval})`;
}

/** Where a difference was looked for and not seen: how small it may have been. Empty where there is no such comparison. */
export function sayDetectable(comparisons: readonly Comparison[]): string {
  const unseen = comparisons.filter(({ decides, outcome }) => decides && outcome === 'no difference seen');
  if (unseen.length === 0) return '';
  const each = unseen.map(({ what, data, difference }) => `${what} on ${data}: ${say(difference.detectable)}`);
  return ` The smallest differences that could have been seen: ${each.join('; ')}.`;
}

export const show = (value: number | null): string => (value === null ? '–' : Number(value.toPrecision(3)).toString());

/** `W +0.012 (0.004 … 0.02)`: the difference and its interval. */
export function range({ data, difference: { value, low, high } }: Comparison): string {
  const sign = value !== null && value > 0 ? '+' : '';
  return `${data} ${sign}${show(value)} (${show(low)} … ${show(high)})`;
}

/** How the deciding comparisons came out; of those that showed nothing, what could have been seen. */
export function outcomesOf(comparisons: readonly Comparison[]): string {
  const deciding = comparisons.filter(({ decides }) => decides);
  const named = (outcome: Comparison['outcome'], detail: (comparison: Comparison) => string): string[] => {
    const found = deciding.filter((comparison) => comparison.outcome === outcome);
    return found.length === 0 ? [] : [`${outcome} (${found.length}): ${found.map(detail).join('; ')}`];
  };
  const parts = [
    ...named('as claimed', inWords),
    ...named('opposite', inWords),
    ...named('no difference seen', (one) => `${inWords(one)}, detectable ${show(one.difference.detectable)}`),
    ...named('undefined', ({ what, data }) => `${what} on ${data}`),
  ];
  return `${deciding.length} comparisons decide. ${parts.map((part) => `${part[0].toUpperCase()}${part.slice(1)}.`).join(' ')}`;
}

/** L0, dead latents and variance explained of every level, means over seeds. */
export async function byLevel(lab: Lab, sides: readonly Side[]): Promise<Table> {
  const rows: (string | number | null)[][] = [];
  for (const { name, spec } of sides) {
    const { widths } = spec.keys as { widths: readonly number[] };
    const [l0, dead, explained] = [
      await ofLevels(lab, spec, 'core.l0'),
      await ofLevels(lab, spec, 'core.dead_fraction'),
      await ofLevels(lab, spec, 'core.variance_explained'),
    ];
    for (const [l, width] of widths.entries()) {
      rows.push([name, l + 1, width, meanOf(l0[l]), meanOf(dead[l]), meanOf(explained[l])]);
    }
  }
  return {
    title: `Levels on ${sides[0].spec.data}`,
    columns: ['', 'level', 'latents', 'L0', 'dead', 'variance explained'],
    rows,
  };
}

const inWords = (comparison: Comparison): string =>
  `${comparison.what}: ${comparison.a} against ${comparison.b} ${range(comparison)}`;
