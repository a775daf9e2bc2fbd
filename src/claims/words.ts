/** Sentences and tables that are made from comparisons. */
import type { Table } from './claim.ts';
import { meanOf, type Side } from './compare.ts';
import type { Comparison } from './judge.ts';
import type { Lab } from './lab.ts';
import { ofLevels } from './levels.ts';

/** Three digits. */
export const show = (value: number | null): string =>
  value === null || !Number.isFinite(value) ? 'undefined' : Number(value.toPrecision(3)).toString();

/** `W +0.012 (0.004 … 0.02)`: the difference and its interval. */
export function range({ data, difference: { value, low, high } }: Comparison): string {
  const sign = value !== null && value > 0 ? '+' : '';
  return `${data} ${sign}${show(value)}${low === null || high === null ? '' : ` (${show(low)} … ${show(high)})`}`;
}

/** Both sides too: `variance explained 0.68 against 0.77: W -0.09 (-0.1 … -0.08)`. */
export const bothSides = (one: Comparison): string =>
  `${one.what} ${show(one.valueA)} against ${show(one.valueB)}: ${range(one)}`;

/** How the deciding comparisons came out; of those that showed nothing, what could have been seen. */
export function outcomesOf(comparisons: readonly Comparison[]): string {
  const deciding = comparisons.filter(({ decides }) => decides);
  const parts = [
    ...listed(deciding, 'as claimed', inWords),
    ...listed(deciding, 'opposite', inWords),
    ...listed(
      deciding,
      'no difference seen',
      (one) => `${inWords(one)}, detectable ${show(one.difference.detectable)}`,
    ),
    ...listed(deciding, 'undefined', inWhich),
  ];
  return [`${deciding.length} comparisons decide.`, ...parts].join(' ');
}

/**
 * What the deciding comparisons leave open: where no difference was seen, how small it may have been, and what is undefined. Begins with
 * a space; empty where nothing is open.
 */
export function openIn(comparisons: readonly Comparison[]): string {
  const deciding = comparisons.filter(({ decides }) => decides);
  const parts = [
    ...listed(
      deciding,
      'no difference seen',
      (one) => `${one.what} on ${one.data}, detectable ${show(one.difference.detectable)}`,
    ),
    ...listed(deciding, 'undefined', inWhich),
  ];
  return parts.map((part) => ` ${part}`).join('');
}

/** One sentence, or none where nothing came out so. */
function listed(
  comparisons: readonly Comparison[],
  outcome: Comparison['outcome'],
  say: (comparison: Comparison) => string,
): string[] {
  const found = comparisons.filter((one) => one.outcome === outcome);
  if (found.length === 0) return [];
  return [`${outcome[0].toUpperCase()}${outcome.slice(1)} (${found.length}): ${found.map(say).join('; ')}.`];
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

const inWhich = ({ what, data, why }: Comparison): string =>
  `${what} on ${data}${why === undefined ? '' : ` (${why})`}`;

const inWords = (comparison: Comparison): string =>
  `${comparison.what}: ${comparison.a} against ${comparison.b} ${range(comparison)}`;
