import { expect, it } from 'vitest';
import { claims, claimsNamed } from '../../src/claims/ledger.ts';
import { PAPERS } from '../../src/claims/claim.ts';
import { UsageError } from '../../src/core/errors.ts';

/** The ids that the ledger was opened with. */
const IDS = [
  ...[
    'recon',
    'compute',
    'overhead',
    'absorption',
    'languages',
    'refine',
    'interp',
    'structure',
    'models',
    'ortho',
  ].map((name) => `hsae-${name}`),
  ...[
    'hierarchy',
    'fidelity',
    'tasks',
    'constraint',
    'rate',
    'similarity',
    'topology',
    'siblings',
    'truth',
    'cost',
  ].map((name) => `forest-${name}`),
  ...['absorption', 'recon', 'probing', 'active', 'parts', 'alpha', 'time'].map((name) => `dynamic-${name}`),
  ...['fails', 'abstract', 'redesign', 'balance', 'coverage', 'weights'].map((name) => `comp-${name}`),
  ...['coverage', 'hierarchy', 'both', 'competitive', 'siblings', 'geometry', 'scaling', 'greedy', 'realloc', 'mp'].map(
    (name) => `tree-${name}`,
  ),
  'bench-order',
  'toy-absorb',
  'bench-edges',
];

it('holds every claim once, in the order of the papers', () => {
  expect(claims.map(({ id }) => id)).toEqual(IDS);
  const papers = Object.keys(PAPERS);
  const order = claims.map(({ paper }) => papers.indexOf(paper));
  expect(order).toEqual(order.toSorted((a, b) => a - b));
});

it('says for each what is claimed, how it is tested and what decides', () => {
  for (const { id, statement, published, protocol, rule } of claims) {
    for (const text of [statement, published, protocol, rule]) expect(text.length, id).toBeGreaterThan(3);
  }
});

it('suggests the nearest id', () => {
  expect(() => claimsNamed(['hsae-recn'])).toThrow(UsageError);
  expect(() => claimsNamed(['hsae-recn'])).toThrow(/hsae-recon/);
});
