/** A comparison as rows of text: for the terminal, Markdown, CSV and JSON. */
import type { Comparison, Cell, Test } from './compare.ts';
import { isCost } from './names.ts';
import { seedOf } from './rows.ts';

/** A number with as many decimals as its interval is wide: two digits of half the width. */
export function estimate(value: number | null, low: number | null, high: number | null): string {
  if (value === null) return '–';
  if (low === null || high === null) return plain(value);
  const decimals = decimalsFor((high - low) / 2, value);
  const [at, from, to] = [value, low, high].map((number) => fixed(number, decimals));
  return from === to ? at : `${at} [${from}, ${to}]`;
}

/** Four digits; whole numbers in full. */
const plain = (value: number): string =>
  Number.isInteger(value) ? value.toLocaleString('en') : String(Number(value.toPrecision(4)));

function decimalsFor(half: number, value: number): number {
  const digits = half > 0 ? 1 - Math.floor(Math.log10(half)) : 3 - Math.floor(Math.log10(Math.abs(value) || 1));
  return Math.min(Math.max(digits, 0), 4);
}

const fixed = (value: number, decimals: number): string =>
  value.toLocaleString('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals }).replace('-', '−');

const arrows = { higher: ' ↑', lower: ' ↓' } as const;

/** Heading and rows: label, seeds, one cell per column. Cells without a number hold their mark, see {@link footnotes}. */
export function mainTable({ columns, rows }: Comparison): string[][] {
  const notes = reasonsIn(rows.flatMap(({ cells }) => cells));
  return [
    [
      '',
      'seeds',
      ...columns.map(({ title, better, metric }) => title + (better && !isCost(metric) ? arrows[better] : '')),
    ],
    ...rows.map(({ row, cells }) => [
      row.label,
      String(row.runs.length),
      ...cells.map((cell) => cellText(cell, notes)),
    ]),
  ];
}

function cellText(cell: Cell, notes: readonly string[]): string {
  if ('missing' in cell) return `– (${notes.indexOf(cell.missing) + 1})`;
  return estimate(cell.value, cell.low, cell.high);
}

const reasonsIn = (cells: readonly Cell[]): string[] => [
  ...new Set(cells.flatMap((cell) => ('missing' in cell ? [cell.missing] : []))),
];

/** Why cells are empty, by their marks; and cells with fewer seeds than their row. */
export function footnotes({ columns, rows }: Comparison): string[] {
  const reasons = reasonsIn(rows.flatMap(({ cells }) => cells)).map((reason, i) => `(${i + 1}) ${reason}`);
  const partial = rows.flatMap(({ row, cells }) =>
    cells.flatMap((cell, c) =>
      'missing' in cell || cell.seeds === row.runs.length
        ? []
        : [`${row.label}, ${columns[c].key}: measured on ${cell.seeds} of ${row.runs.length} seeds`],
    ),
  );
  return [...reasons, ...partial];
}

/** What the numbers of {@link mainTable} are. */
export function explanation({ rows, columns }: Comparison): string {
  const several = rows.some(({ row }) => row.runs.length > 1);
  const beyond = columns.some((column) => column.beyond !== undefined);
  return [
    several
      ? 'Means over seeds with 95 % intervals: bootstrap over seeds and, within each, the units of the metric (t over seeds where it has none).'
      : 'Values with the 95 % intervals of their suites.',
    ...(beyond ? ['Beyond a null: minus the mean of the same metric under that null.'] : []),
  ].join(' ');
}

/** Heading and one line per test that could be made. */
export function testTable(tests: readonly Test[]): string[][] {
  return [
    ['', 'column', 'difference', 'visible from', 'p', 'p (Holm)', 'seeds', ''],
    ...tests.flatMap(({ row, column, difference, adjusted }) => {
      if ('refused' in difference) return [];
      const { value, low, high, detectable, p, seeds, paired, outside } = difference;
      const notes = [...(paired ? [] : ['over seeds only']), ...(outside ? ['beyond the curve'] : [])];
      const visible = detectable === null ? '–' : fixed(detectable, decimalsFor(detectable, detectable));
      return [
        [row, column, estimate(value, low, high), visible, share(p), share(adjusted), String(seeds), notes.join(', ')],
      ];
    }),
  ];
}

const share = (p: number | null): string => (p === null ? '–' : p < 0.001 ? '< 0.001' : p.toFixed(3));

/** Tests that could not be made, by their reason. */
export function refusals(tests: readonly Test[]): string[] {
  const byReason = new Map<string, Set<string>>();
  for (const { row, difference } of tests) {
    if (!('refused' in difference)) continue;
    const rows = byReason.get(difference.refused) ?? new Set();
    byReason.set(difference.refused, rows.add(row));
  }
  return [...byReason].map(([reason, rows]) => `no test of ${[...rows].join(', ')}: ${reason}`);
}

/** How to read {@link testTable}. */
export function testExplanation(tests: readonly Test[]): string {
  const count = tests.filter(({ adjusted }) => adjusted !== null).length;
  return (
    'Paired by seed and by unit: 95 % intervals of the differences; a difference smaller than "visible from" would most likely ' +
    `have been missed. p (Holm) is adjusted for the ${count} tests of this table.`
  );
}

/** Padded, as formatters of Markdown want it. */
export function markdownTable(rows: readonly (readonly string[])[]): string[] {
  const cells = rows.map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = cells[0].map((_, column) => Math.max(3, ...cells.map((row) => row[column].length)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(cells[0]), `| ${rule.join(' | ')} |`, ...cells.slice(1).map(line)];
}

/** Long form, one line per row and column, for other programs. */
export function csvRecords({ columns, rows, tests, reference }: Comparison): (string | number | null)[][] {
  const heading = ['row', 'architecture', 'seeds', 'column', 'value', 'low', 'high', 'unit', 'seeds_measured'];
  const differences = ['reference', 'difference', 'difference_low', 'difference_high', 'p', 'p_holm'];
  const body = rows.flatMap(({ row, cells }) =>
    cells.map((cell, c) => {
      const { key } = columns[c];
      const seeds = row.runs.map(seedOf).join(' ');
      const measured =
        'missing' in cell ? [null, null, null, null, 0] : [cell.value, cell.low, cell.high, cell.unit, cell.seeds];
      const test = tests.find((one) => one.row === row.label && one.column === key);
      const tested =
        !test || 'refused' in test.difference
          ? [null, null, null, null, null, null]
          : [
              reference!.label,
              test.difference.value,
              test.difference.low,
              test.difference.high,
              test.difference.p,
              test.adjusted,
            ];
      return [row.label, row.architecture, seeds, key, ...measured, ...tested];
    }),
  );
  return [[...heading, ...differences], ...body];
}

/** The whole comparison, folders in place of runs. */
export function toDocument({ columns, rows, reference, tests, matched }: Comparison): Record<string, unknown> {
  return {
    columns,
    rows: rows.map(({ row, cells }) => ({
      label: row.label,
      architecture: row.architecture,
      runs: row.runs.map((run) => ({ folder: run.folder, seed: seedOf(run), step: run.step, ...run.cost })),
      cells: Object.fromEntries(cells.map((cell, c) => [columns[c].key, cell])),
    })),
    reference: reference?.label ?? null,
    tests,
    ...(matched && {
      matched: { match: matched.match, family: matched.family.map(({ label }) => label), tests: matched.tests },
    }),
  };
}
