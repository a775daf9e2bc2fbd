/** Metrics as a table for the terminal. */
import type { Metrics } from '../evals/metric.ts';
import { table } from './terminal.ts';

/** Where metrics have nulls, their means stand in a column of their own; a metric without a value says why. */
export function metricTable(metrics: Metrics): string[] {
  const entries = Object.entries(metrics);
  const rows = entries.map(([name, { value, low, high, n, unit, nulls = {}, insufficient }]) => [
    name,
    insufficient === undefined ? number(value) : 'insufficient',
    insufficient === undefined ? `${number(low)} … ${number(high)}` : '',
    n.toLocaleString('en'),
    unit,
    insufficient ??
      Object.entries(nulls)
        .map(([null_, { value }]) => `${null_} ${number(value)}`)
        .join(', '),
  ]);
  const lines = table(
    [['', 'value', '95 % interval', 'n', 'unit', 'null'], ...rows],
    ['left', 'right', 'right', 'right', 'left', 'left'],
  );
  return lines;
}

const number = (value: number | null): string => (value === null ? '–' : value.toPrecision(4));
