/** Weighted choices between a few names. */
import { Table, type Chance } from './chance.ts';

export class Options<K extends string> {
  readonly #names: readonly K[];
  readonly #table: Table;

  constructor(weights: Readonly<Record<K, number>>) {
    this.#names = Object.keys(weights) as K[];
    this.#table = new Table(new Map(this.#names.map((name, i) => [i, weights[name]])));
  }

  /** One of the names, in proportion to its weight. */
  pick(chance: Chance): K {
    return this.#names[chance.pick(this.#table)];
  }
}
