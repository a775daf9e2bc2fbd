/** The plots of a comparison: quality against sparsity, hierarchy with its null against sparsity, or any two columns. */
import { join } from 'node:path';
import { InputError } from '../core/errors.ts';
import { makeFolder, writeFileAtomic } from '../core/files.ts';
import { parseColumn, type Column } from './columns.ts';
import { cellOf, type Measured } from './compare.ts';
import { draw, type Bar, type Figure, type Point, type Series } from './draw.ts';
import { paretoFront } from './pareto.ts';
import { rowsOf, type ComparedRow } from './rows.ts';
import type { ComparedRun } from './runs.ts';

export interface Axes {
  readonly x: Column;
  readonly y: Column;
}

/** File names and what they show; those for which nothing was measured are left out. */
const STANDARD = [
  ['variance-explained', 'core.variance_explained'],
  ['ce-score', 'core.ce_loss_score'],
  ['parent-given-child', 'hierarchy.p_parent_given_child'],
  ['tree-hit-rate', 'hierarchy.tree_hit_rate'],
  ['ancestor-f1', 'truth.ancestor_f1'],
] as const;

/** @returns the files that were written @throws InputError where no row has both of the axes that were asked for */
export function writePlots(runs: readonly ComparedRun[], folder: string, axes: Axes | undefined): string[] {
  const rows = rowsOf(runs);
  const wanted = axes
    ? [{ name: fileName(axes), axes }]
    : STANDARD.map(([name, y]) => ({ name, axes: { x: parseColumn('core.l0_total'), y: parseColumn(y) } }));
  const figures = wanted.flatMap(({ name, axes: of }) => {
    const figure = figureOf(rows, of);
    return figure ? [{ path: join(folder, `${name}.svg`), figure }] : [];
  });
  if (figures.length === 0) {
    const [x, y] = axes ? [axes.x.key, axes.y.key] : ['core.l0_total', STANDARD.map(([, key]) => key).join(', ')];
    throw new InputError(`there is nothing to plot: no run has both ${x} and ${axes ? y : `one of ${y}`}`, {
      hint: 'add --measure, or saeforest eval RUN --suite NAME for each run',
    });
  }
  makeFolder(folder);
  for (const { path, figure } of figures) writeFileAtomic(path, draw(figure));
  return figures.map(({ path }) => path);
}

const fileName = ({ x, y }: Axes): string => `${y.key}-${x.key}`.replaceAll(/[^\w.-]+/g, '-');

/** undefined where no row has both columns. */
export function figureOf(rows: readonly ComparedRow[], { x, y }: Axes): Figure | undefined {
  const series = new Map<string, Point[]>();
  let nullName: string | undefined;
  for (const row of rows) {
    const [across, up] = [cellOf(row, x), cellOf(row, y)];
    if ('missing' in across || 'missing' in up || across.value === null || up.value === null) continue;
    // The same null for all rows.
    nullName ??= Object.keys(up.nulls).find((name) => up.nulls[name].value !== null);
    const chance = nullName === undefined ? undefined : up.nulls[nullName];
    const points = series.get(row.architecture) ?? [];
    points.push({
      x: barOf(across),
      y: barOf(up),
      label: row.label.slice(row.architecture.length + 1),
      beyond: chance && chance.value !== null ? barOf(chance) : undefined,
    });
    series.set(row.architecture, points);
  }
  if (series.size === 0) return undefined;
  const all = [...series].map(([name, points]): Series => ({ name, points }));
  const ends = { x: x.better ?? 'lower', y: y.better };
  const marked = all.flatMap(({ points }) => points.map((point) => ({ x: point.x.value, y: point.y.value })));
  return {
    title: `${capital(y.title)} and ${x.title}`,
    x: axisTitle(x, rows),
    y: axisTitle(y, rows),
    series: all,
    front: ends.y === undefined ? [] : paretoFront(marked, { x: ends.x, y: ends.y }),
    nullName: nullName?.replaceAll('_', ' '),
  };
}

function barOf({ value, low, high }: Pick<Measured, 'value' | 'low' | 'high'>): Bar {
  return { value: value!, low: low ?? value!, high: high ?? value! };
}

const capital = (words: string): string => words[0].toUpperCase() + words.slice(1);

/** `variance explained (share, higher is better)` */
function axisTitle(column: Column, rows: readonly ComparedRow[]): string {
  const units = rows.map((row) => cellOf(row, column)).flatMap((cell) => ('missing' in cell ? [] : [cell.unit]));
  const direction =
    column.better && (column.metric.startsWith('l0') ? 'lower is sparser' : `${column.better} is better`);
  return `${column.title} (${[units[0], direction].filter((part) => part).join(', ')})`;
}
