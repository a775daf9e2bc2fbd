/** What an entry of the ledger is: a claim of a paper, how it is tested, and what came out. */
import type { Comparison } from './judge.ts';
import type { Lab } from './lab.ts';
import type { DataName } from './scales.ts';

export const PAPERS = {
  'h-sae': 'H-SAE, arXiv 2506.01197',
  forest: 'HSAE forest, arXiv 2602.11881',
  dynamic: 'HierarchicalSAE: dynamic feature learning',
  compositional: 'Compositional hierarchies in three tiers',
  'tree-sae': 'Tree SAE, arXiv 2605.07922',
  field: 'Results of the field, as yardsticks',
} as const;
export type Paper = keyof typeof PAPERS;

export const VERDICTS = ['holds', 'does not hold', 'mixed', 'not testable here'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Everything but `test` was written down before the first run. */
export interface Claim {
  /** Such as `hsae-recon`. */
  readonly id: string;
  readonly paper: Paper;
  readonly statement: string;
  /** The published figure, or where there is none, what was published. */
  readonly published: string;
  /** Data, models, what is matched. */
  readonly protocol: string;
  /** What decides. */
  readonly rule: string;
  test(lab: Lab): Promise<Finding>;
}

export interface Finding {
  readonly verdict: Verdict;
  /** One to four sentences for a sceptical reader: what was seen, and what else could explain it. */
  readonly because: string;
  /** Those that decide, and those under other matchings. */
  readonly comparisons: readonly Comparison[];
  /** Numbers that are no comparison. */
  readonly tables?: readonly Table[];
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

/** A sentence with a space before it; empty where no data were left out. */
export const withoutData = (leftOut: readonly DataName[]): string =>
  leftOut.length === 0 ? '' : ` Tested without ${leftOut.join(', ')}: no model and text were given for it.`;
