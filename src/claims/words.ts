/** Numbers of comparisons in sentences. */
import type { Comparison } from './judge.ts';

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
