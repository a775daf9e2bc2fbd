/**
 * A plot as SVG text that can stand in light and in dark pages: series of points with intervals, their nulls, names beside the points
 * instead of a legend.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { placeLabels, type Box, type Label } from './labels.ts';

export interface Bar {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface Point {
  readonly x: Bar;
  readonly y: Bar;
  /** Beside the point; may be empty. */
  readonly label: string;
  readonly beyond: Bar | undefined;
}

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

export interface Figure {
  readonly title: string;
  /** Axis titles, with units and direction. */
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
  /** Corners of the Pareto front by x; empty = none. */
  readonly front: readonly { readonly x: number; readonly y: number }[];
  /** Name of the null that is drawn, for the line beneath the title. */
  readonly nullName: string | undefined;
}

const [WIDTH, HEIGHT] = [720, 440];
const MARGIN = { top: 64, right: 28, bottom: 52, left: 70 };

/** About as far from white as from black: at least 3 : 1 against either. */
const COLORS = ['#2f7ed8', '#d9730d', '#1f9d61', '#9a5fd0', '#d1495b', '#1797a6', '#a5722b', '#c2559d', '#7a8290'];

const STYLE = `svg{color:#3d444d;font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
text{fill:currentColor}
@media (prefers-color-scheme:dark){svg{color:#d1d7e0}}`;

/** What is used of the element that the library makes: its own types are those of a browser. */
interface Drawing {
  setAttribute(name: string, value: string): void;
  readonly outerHTML: string;
  scale(name: 'x' | 'y'): { apply(value: number): unknown } | undefined;
}

interface Dot {
  readonly series: number;
  readonly point: Point;
}

/** @returns a whole SVG document */
export function draw({ title, x, y, series, front, nullName }: Figure): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const dots: Dot[] = series.flatMap(({ points }, i) => points.map((point) => ({ series: i, point })));
  const withNull = dots.filter(({ point }) => point.beyond !== undefined);
  const color = ({ series: i }: Dot): string => COLORS[i % COLORS.length];
  const sorted = dots.toSorted((a, b) => a.series - b.series || a.point.x.value - b.point.x.value);
  const xScale = xAxisOf(dots.map(({ point }) => point.x));
  const yEnds = dots.flatMap(({ point }) =>
    [point.y, ...(point.beyond ? [point.beyond] : [])].flatMap(({ low, high }) => [low, high]),
  );
  const line = { z: 'series', strokeWidth: 1.5 } as const;
  const drawing: Drawing = Plot.plot({
    document,
    width: WIDTH,
    height: HEIGHT,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft: MARGIN.left,
    style: { fontSize: '12px', background: 'none' },
    x: { ...xScale, label: null, line: true },
    y: { domain: padded(Math.min(...yEnds), Math.max(...yEnds)), label: null, grid: true, ticks: 6 },
    marks: [
      Plot.line(front, {
        x: 'x',
        y: 'y',
        curve: 'step-after',
        strokeDasharray: '2,4',
        strokeWidth: 1.5,
        strokeOpacity: 0.7,
      }),
      Plot.line(sorted, { ...line, x: xOf, y: yOf, stroke: color, strokeOpacity: 0.6 }),
      Plot.line(withNull, {
        ...line,
        x: xOf,
        y: (dot: Dot) => dot.point.beyond!.value,
        stroke: color,
        strokeOpacity: 0.45,
        strokeDasharray: '4,4',
      }),
      Plot.ruleX(withNull, {
        x: xOf,
        y1: (dot: Dot) => dot.point.beyond!.low,
        y2: (dot: Dot) => dot.point.beyond!.high,
        stroke: color,
        strokeOpacity: 0.6,
      }),
      Plot.dot(withNull, { x: xOf, y: (dot: Dot) => dot.point.beyond!.value, stroke: color, r: 3.5, strokeWidth: 1.5 }),
      Plot.ruleX(dots, {
        x: xOf,
        y1: (dot: Dot) => dot.point.y.low,
        y2: (dot: Dot) => dot.point.y.high,
        stroke: color,
        strokeWidth: 2,
      }),
      Plot.ruleY(dots, {
        y: yOf,
        x1: (dot: Dot) => dot.point.x.low,
        x2: (dot: Dot) => dot.point.x.high,
        stroke: color,
        strokeWidth: 2,
      }),
      Plot.dot(dots, { x: xOf, y: yOf, fill: color, r: 4.5 }),
    ],
  });
  drawing.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  drawing.setAttribute('role', 'img');
  drawing.setAttribute('aria-label', `${title}: ${y} against ${x}`);
  const place = (name: 'x' | 'y', value: number): number => Number(drawing.scale(name)!.apply(value));
  const words = [
    { x: MARGIN.left - 46, y: 20, text: title, size: 15, bold: true },
    { x: MARGIN.left - 46, y: 40, text: `vertical: ${y}`, size: 12.5 },
    { x: WIDTH - MARGIN.right, y: HEIGHT - 14, text: `${x} →`, size: 12.5, anchor: 'end' },
    { x: MARGIN.left - 46, y: HEIGHT - 14, text: caption(front.length > 0, nullName), size: 11, faint: true },
  ];
  const { labels, obstacles } = labelsOf(series, withNull, front, place);
  const frame = { left: MARGIN.left, right: WIDTH - 4, top: MARGIN.top - 14, bottom: HEIGHT - MARGIN.bottom };
  const texts = [
    ...words.map(text),
    ...placeLabels(labels, obstacles, frame).map(({ label, x: left, y: base }) =>
      text({
        x: left,
        y: base,
        text: label.text,
        size: label.size,
        bold: label.bold,
        color: COLORS[label.color % COLORS.length],
      }),
    ),
  ];
  const drawn = drawing.outerHTML.replace(/^<svg[^>]*>/, (start: string) => `${start}<style>${STYLE}</style>`);
  return `${drawn.replace(/<\/svg>\s*$/, `${texts.join('')}</svg>`)}\n`;
}

const xOf = (dot: Dot): number => dot.point.x.value;
const yOf = (dot: Dot): number => dot.point.y.value;

const caption = (hasFront: boolean, nullName: string | undefined): string =>
  [
    'bars: 95 % intervals',
    ...(nullName ? [`hollow: ${nullName} null`] : []),
    ...(hasFront ? ['dotted: Pareto front'] : []),
  ].join(' · ');

/** Logarithmic where values differ by more than a factor of two. */
function xAxisOf(values: readonly Bar[]): Plot.ScaleOptions {
  const [low, high] = [Math.min(...values.map((bar) => bar.low)), Math.max(...values.map((bar) => bar.high))];
  if (!(low > 0) || high / low < 2) return { domain: padded(low, high), ticks: 6 };
  const base = high / low > 64 ? 10 : 2;
  const powers = Array.from({ length: 64 }, (_, i) => base ** (i - 20));
  const domain = [low / 1.15, high * 1.3];
  return {
    type: 'log',
    domain,
    ticks: powers.filter((tick) => tick >= domain[0] && tick <= domain[1]),
    tickFormat: (tick: number) => tick.toLocaleString('en', { notation: tick >= 1e4 ? 'compact' : 'standard' }),
  };
}

function padded(low: number, high: number): [number, number] {
  const margin = 0.08 * (high - low) || 0.1 * Math.abs(high) || 1;
  return [low - margin, high + margin];
}

/** What is to be named, and what the names must not cover. */
function labelsOf(
  series: readonly Series[],
  withNull: readonly Dot[],
  front: Figure['front'],
  place: (name: 'x' | 'y', value: number) => number,
): { labels: Label[]; obstacles: Box[] } {
  const labels: Label[] = [];
  const obstacles: Box[] = [];
  const addBar = (x: number, { low, high, value }: Bar, r: number): void => {
    const at = place('x', x);
    obstacles.push({ left: at - r, right: at + r, top: place('y', value) - r, bottom: place('y', value) + r });
    obstacles.push({ left: at - 1.5, right: at + 1.5, top: place('y', high), bottom: place('y', low) });
  };
  for (const [color, { name, points }] of series.entries()) {
    const byX = points.toSorted((a, b) => a.x.value - b.x.value);
    for (const [i, { x, y, label }] of byX.entries()) {
      addBar(x.value, y, 6);
      const isLast = i === byX.length - 1;
      const words = isLast ? [name, label].filter((word) => word !== '').join(' ') : label;
      if (words === '') continue;
      const at = { x: place('x', x.value), y: place('y', y.value) };
      labels.push({ at, text: words, size: isLast ? 13 : 11, bold: isLast, color });
      if (i > 0)
        obstacles.push(...alongLine(place('x', byX[i - 1].x.value), place('y', byX[i - 1].y.value), at.x, at.y));
    }
  }
  for (const { point } of withNull) addBar(point.x.value, point.beyond!, 5);
  for (const [i, corner] of front.entries()) {
    if (i === 0) continue;
    const [from, to] = [front[i - 1], corner].map((one) => ({ x: place('x', one.x), y: place('y', one.y) }));
    obstacles.push(...alongLine(from.x, from.y, to.x, from.y), ...alongLine(to.x, from.y, to.x, to.y));
  }
  // The series' name says the most: it is placed first.
  return { labels: labels.sort((a, b) => Number(b.bold) - Number(a.bold)), obstacles };
}

/** Small boxes along a piece of a line. */
function alongLine(x1: number, y1: number, x2: number, y2: number): Box[] {
  const count = Math.max(1, Math.round(Math.hypot(x2 - x1, y2 - y1) / 8));
  return Array.from({ length: count }, (_, i) => {
    const share = (i + 0.5) / count;
    const [x, y] = [x1 + share * (x2 - x1), y1 + share * (y2 - y1)];
    return { left: x - 1, right: x + 1, top: y - 1, bottom: y + 1 };
  });
}

interface Words {
  x: number;
  y: number;
  text: string;
  size: number;
  bold?: boolean;
  color?: string;
  anchor?: string;
  faint?: boolean;
}

function text({ x, y, text: words, size, bold, color, anchor, faint }: Words): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const style = color === undefined ? '' : ` style="fill:${color}"`;
  const extra = [
    ...(bold ? [' font-weight="600"'] : []),
    ...(anchor ? [` text-anchor="${anchor}"`] : []),
    ...(faint ? [' opacity="0.75"'] : []),
  ].join('');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${size}"${extra}${style}>${escaped}</text>`;
}
