/** Numbers of fixtures that may be undefined: null there, NaN here. */
import type { Report, Tolerance } from '../report.ts';

/** The defined numbers, and which are defined. */
export function compareDefined(
  report: Report,
  name: string,
  actual: readonly number[],
  stored: readonly (number | null)[],
  tolerance: Tolerance,
): void {
  if (stored.some((value) => value === null)) {
    const [ours, theirs] = [actual, stored].map((values) => values.map((value) => Number(isDefined(value))));
    report.compare(`${name}: defined`, ours, theirs, 'exact');
  }
  const both = stored.map((_, i) => i).filter((i) => isDefined(stored[i]) && isDefined(actual[i]));
  report.compare(
    name,
    both.map((i) => actual[i]),
    both.map((i) => stored[i]!),
    tolerance,
  );
}

const isDefined = (value: number | null): boolean => value !== null && !Number.isNaN(value);
