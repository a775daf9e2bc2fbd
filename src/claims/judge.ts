/** From measured differences to a verdict, by the rules that hold for all claims. */
import type { Difference } from '../evals/paired.ts';
import type { Verdict } from './claim.ts';
import type { DataName } from './scales.ts';

/** What is equal between the two sides, beside data, tokens and the order of the stream. */
export const MATCHINGS = [
  'total L0',
  'top width and k',
  'parameters',
  'encode FLOPs',
  'encode time',
  'all but the ablated part',
  'nothing',
] as const;
export type Matching = (typeof MATCHINGS)[number];

export type Outcome = 'as claimed' | 'opposite' | 'no difference seen' | 'undefined';

/** In place of data, where something is compared that does not depend on them. */
export const NO_DATA = 'none';

/** a against b. */
export interface Comparison {
  /** Such as `variance explained`. */
  readonly what: string;
  readonly data: DataName | typeof NO_DATA;
  readonly a: string;
  readonly b: string;
  readonly matching: Matching;
  /** Means over seeds. */
  readonly valueA: number | null;
  readonly valueB: number | null;
  readonly difference: Difference;
  /** What the claim says of a − b; `equal`: within the margin. */
  readonly claimed: Claimed;
  /** Whether it takes part in the verdict: comparisons under other matchings are for the reader. */
  readonly decides: boolean;
  readonly outcome: Outcome;
  /** What a costs, divided by what b costs; of trained SAEs. */
  readonly costs?: CostRatios;
  /** Why it is undefined, where that is known. */
  readonly why?: string;
}

/** Counted, not measured: from the settings of both. */
export interface CostRatios {
  readonly parameters: number;
  readonly encodeFlops: number;
}

export type Claimed =
  | { readonly is: 'higher' | 'lower'; /** a − b has to exceed (undercut) this; 0. */ readonly by?: number }
  | { readonly is: 'equal'; readonly margin: number }
  /** On whichever side: further from 0 than the margin. */
  | { readonly is: 'different'; readonly margin: number }
  /** One side only: a is not worse than b by more than the margin. */
  | { readonly is: 'not lower' | 'not higher'; readonly margin: number };

/** By the interval: a difference counts when it lies wholly on one side. */
export function outcomeOf({ low, high }: Pick<Difference, 'low' | 'high'>, claimed: Claimed): Outcome {
  if (low === null || high === null) return 'undefined';
  switch (claimed.is) {
    case 'higher': {
      const by = claimed.by ?? 0;
      return low > by ? 'as claimed' : high < by ? 'opposite' : 'no difference seen';
    }
    case 'lower': {
      const by = -(claimed.by ?? 0);
      return high < by ? 'as claimed' : low > by ? 'opposite' : 'no difference seen';
    }
    case 'equal': {
      const { margin } = claimed;
      if (low >= -margin && high <= margin) return 'as claimed';
      return low > margin || high < -margin ? 'opposite' : 'no difference seen';
    }
    case 'different': {
      const { margin } = claimed;
      if (low > margin || high < -margin) return 'as claimed';
      return low >= -margin && high <= margin ? 'opposite' : 'no difference seen';
    }
    case 'not lower':
      return low >= -claimed.margin ? 'as claimed' : high < -claimed.margin ? 'opposite' : 'no difference seen';
    case 'not higher':
      return high <= claimed.margin ? 'as claimed' : low > claimed.margin ? 'opposite' : 'no difference seen';
  }
}

/**
 * `holds` when every deciding comparison came out as claimed, `does not hold` when none did, `mixed` in between. What is undefined did
 * not come out as claimed: a rule that was tested in part does not hold as a whole. Without any defined one there is nothing to judge.
 */
export function verdictOf(comparisons: readonly Comparison[]): Verdict {
  const deciding = comparisons.filter(({ decides }) => decides);
  if (deciding.every(({ outcome }) => outcome === 'undefined')) return 'not testable here';
  const asClaimed = deciding.filter(({ outcome }) => outcome === 'as claimed').length;
  if (asClaimed === deciding.length) return 'holds';
  return asClaimed === 0 ? 'does not hold' : 'mixed';
}
