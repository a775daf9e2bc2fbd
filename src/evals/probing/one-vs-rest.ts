/** Which rows a task's probes are trained and tested on: every class against the rest, as many rows of the one as of the other. */
import { Permutation } from '../../core/permutation.ts';
import { Random } from '../../core/random.ts';
import type { Split } from './k-sparse.ts';

/** Rows of a task, those of all its classes together (SAEBench: 4 000 to train on, 1 000 to test on). */
const MOST = { train: 4000, test: 1000 } as const;
/** Rows without which a class is not probed. */
export const LEAST = { train: 20, test: 10 } as const;
/** Classes of a task: those with the most training rows. */
const CLASSES = 12;

type Part = keyof typeof MOST;
const PARTS = ['train', 'test'] as const;

/** Labels of the rows of a task. A row without any belongs to the rest of every class. */
export interface LabelledRows {
  readonly name: string;
  /** In words, for definitions. */
  readonly about: string;
  readonly train: readonly number[];
  readonly test: readonly number[];
  labels(row: number): readonly string[];
}

export interface ClassSplit extends Split {
  readonly name: string;
}

/**
 * The classes of a task that can be probed, as many as {@link CLASSES}: none where fewer than two have the least number of rows.
 * Negatives come from the rows of the other chosen classes. Depends on labels and seed only, not on what is probed.
 */
export function oneVsRest(task: LabelledRows, seed: number): ClassSplit[] {
  const random = new Random(seed, 'evals', 'probing', task.name);
  const members = { train: membersOf(task, 'train', random), test: membersOf(task, 'test', random) };
  const enough = [...members.train.keys()]
    .filter((name) => name !== NONE && PARTS.every((part) => (members[part].get(name)?.length ?? 0) >= LEAST[part]))
    // In each part rows are in random order, and so are classes of the same size.
    .sort((a, b) => members.train.get(b)!.length - members.train.get(a)!.length);
  const chosen = enough.slice(0, CLASSES);
  const parts = PARTS.map((part) => balance(task, part, members[part], chosen, random));
  return chosen.flatMap((name, c) => {
    const [train, test] = parts.map((ofPart) => ofPart[c]);
    const isEnough = train.labels.length >= 2 * LEAST.train && test.labels.length >= 2 * LEAST.test;
    return isEnough ? [{ name, train, test }] : [];
  });
}

/** Rows that have no label. */
const NONE = '';

/** Rows by label, in random order. */
function membersOf(task: LabelledRows, part: Part, random: Random): Map<string, number[]> {
  const members = new Map<string, number[]>();
  for (const row of shuffled(task[part], random)) {
    const labels = task.labels(row);
    for (const label of labels.length > 0 ? labels : [NONE]) {
      if (!members.has(label)) members.set(label, []);
      members.get(label)!.push(row);
    }
  }
  return members;
}

function balance(
  task: LabelledRows,
  part: Part,
  members: ReadonlyMap<string, readonly number[]>,
  chosen: readonly string[],
  random: Random,
): Split['train'][] {
  const share = Math.ceil(MOST[part] / chosen.length);
  const taken = [...chosen, NONE].map((name) => (members.get(name) ?? []).slice(0, share));
  const pool = [...new Set(taken.flat())];
  return chosen.map((name, c) => {
    const rest = shuffled(
      pool.filter((row) => !task.labels(row).includes(name)),
      random,
    );
    const each = Math.min(taken[c].length, rest.length, MOST[part] / 2);
    const rows = Int32Array.from([...taken[c].slice(0, each), ...rest.slice(0, each)]);
    return { rows, labels: Uint8Array.from(rows, (_, i) => (i < each ? 1 : 0)) };
  });
}

function shuffled(rows: readonly number[], random: Random): number[] {
  const order = new Permutation(rows.length, random);
  return rows.map((_, i) => rows[order.at(i)]);
}
