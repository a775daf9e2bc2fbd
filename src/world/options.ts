/** Weighted choices between a few names. */
import { Table, type Chance } from './chance.ts';

export type Weights = Readonly<Record<string, number>>;

const tables = new WeakMap<Weights, Table>();

/** One of the names, in proportion to its weight. */
export function pickOption<W extends Weights>(chance: Chance, weights: W): keyof W & string {
  let table = tables.get(weights);
  if (!table) {
    table = new Table(new Map(Object.values(weights).map((weight, i) => [i, weight])));
    tables.set(weights, table);
  }
  return Object.keys(weights)[chance.pick(table)];
}
