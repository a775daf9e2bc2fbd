/**
 * A plot as SVG text that can stand in light and in dark pages: series of points with intervals, their nulls, names beside the points
 * instead of a legend.
 */
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { dodge } from './dodge.ts';
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

const [WIDTH, HEIGHT] = [720, 460];
const MARGIN = { top: 64, right: 28, bottom: 72, left: 70 };

/** About as far from white as from black: at least 3 : 1 against either. */
const COLORS = ['#2f7ed8', '#d9730d', '#1f9d61', '#9a5fd0', '#d1495b', '#1797a6', '#a5722b', '#c2559d', '#7a8290'];

const STYLE = `svg{color:#3d444d;font-family:system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
text{fill:currentColor}
@media (prefers-color-scheme:dark){svg{color:#d1d7e0}}`;

/** What is used of the element that the library makes: its own types are those of a browser. */
interface Drawing {
  setAttribute(name: string, value: string): void;
  readonly outerHTML: string;
}

/** Between values and pixels. */
type Placing = Readonly<Record<'x' | 'y', { apply(value: number): number; invert(pixels: number): number }>>;

interface Dot {
  readonly series: number;
  readonly point: Point;
  /** Where it is drawn: beside its x where others would cover it. */
  readonly x: number;
}

/** @returns a whole SVG document */
export function draw({ title, x, y, series, front, nullName }: Figure): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const points = series.flatMap((one) => one.points);
  const spans = points.flatMap((point) => [point.y, ...(point.beyond ? [point.beyond] : [])]);
  const scales = {
    x: { ...xAxisOf(points.map((point) => point.x)), range: [MARGIN.left, WIDTH - MARGIN.right] },
    y: { domain: extent(spans), range: [HEIGHT - MARGIN.bottom, MARGIN.top] },
  };
  const place: Placing = {
    x: Plot.scale({ x: scales.x }) as unknown as Placing['x'],
    y: Plot.scale({ y: scales.y }) as unknown as Placing['y'],
  };
  const dots = dotsOf(series, place);
  const drawing: Drawing = Plot.plot({
    document,
    width: WIDTH,
    height: HEIGHT,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft: MARGIN.left,
    style: { fontSize: '12px', background: 'none' },
    x: { ...scales.x, label: null, line: true },
    y: { ...scales.y, label: null, grid: true, ticks: 6 },
    marks: marksOf(dots, front),
  });
  drawing.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  drawing.setAttribute('role', 'img');
  drawing.setAttribute('aria-label', `${title}: ${y} against ${x}`);
  const left = MARGIN.left - 46;
  const words: Words[] = [
    { x: left, y: 20, text: title, size: 15, bold: true },
    { x: left, y: 42, text: `↑ ${y}`, size: 12.5 },
    { x: WIDTH - MARGIN.right, y: HEIGHT - 34, text: `${x} →`, size: 12.5, anchor: 'end' },
    { x: left, y: HEIGHT - 10, text: caption(front.length > 0, nullName), size: 11, faint: true },
  ];
  const { labels, obstacles } = labelsOf(series, dots, front, place);
  const frame = { left: MARGIN.left, right: WIDTH - 4, top: MARGIN.top - 14, bottom: HEIGHT - MARGIN.bottom };
  const names = placeLabels(labels, obstacles, frame).map(({ label, x: start, y: base }): Words => ({
    ...label,
    x: start,
    y: base,
    color: colorOf(label.color),
  }));
  const drawn = drawing.outerHTML.replace(/^<svg[^>]*>/, (start: string) => `${start}<style>${STYLE}</style>`);
  return `${drawn.replace(/<\/svg>\s*$/, `${[...words, ...names].map(text).join('')}</svg>`)}\n`;
}

const colorOf = (series: number): string => COLORS[series % COLORS.length];

/** By series and x, moved apart where they would cover each other. */
function dotsOf(series: readonly Series[], place: Placing): Dot[] {
  const dots = series.flatMap(({ points }, i) =>
    points.toSorted((a, b) => a.x.value - b.x.value).map((point) => ({ series: i, point })),
  );
  const span = ({ low, high }: Bar): [number, number] => [place.y.apply(high) - 3, place.y.apply(low) + 3];
  const shifts = dodge(
    dots.map(({ point }) => ({
      x: place.x.apply(point.x.value),
      spans: [span(point.y), ...(point.beyond ? [span(point.beyond)] : [])],
    })),
  );
  return dots.map((dot, i) => ({ ...dot, x: place.x.invert(place.x.apply(dot.point.x.value) + shifts[i]) }));
}

/** From behind to the front: the Pareto front, nulls, intervals, points. */
function marksOf(dots: readonly Dot[], front: Figure['front']): Plot.Markish[] {
  const withNull = dots.filter(({ point }) => point.beyond !== undefined);
  const stroke = (dot: Dot): string => colorOf(dot.series);
  const y = (dot: Dot): number => dot.point.y.value;
  const chance = (dot: Dot): number => dot.point.beyond!.value;
  const upright = (of: (dot: Dot) => Bar): { x: string; y1: (dot: Dot) => number; y2: (dot: Dot) => number } => ({
    x: 'x',
    y1: (dot) => of(dot).low,
    y2: (dot) => of(dot).high,
  });
  const line = { x: 'x', z: 'series', stroke, strokeWidth: 1.5 };
  const dotted = { strokeDasharray: '2,4', strokeWidth: 1.5, strokeOpacity: 0.7 };
  return [
    Plot.line(front, { x: 'x', y: 'y', curve: 'step-after', ...dotted }),
    Plot.line(dots, { ...line, y, strokeOpacity: 0.6 }),
    Plot.line(withNull, { ...line, y: chance, strokeOpacity: 0.45, strokeDasharray: '4,4' }),
    Plot.ruleX(withNull, { ...upright((dot) => dot.point.beyond!), stroke, strokeOpacity: 0.6 }),
    Plot.dot(withNull, { x: 'x', y: chance, stroke, r: 3.5, strokeWidth: 1.5 }),
    Plot.ruleX(dots, { ...upright((dot) => dot.point.y), stroke, strokeWidth: 2 }),
    Plot.ruleY(dots, {
      y,
      x1: (dot: Dot) => dot.point.x.low,
      x2: (dot: Dot) => dot.point.x.high,
      stroke,
      strokeWidth: 2,
    }),
    Plot.dot(dots, { x: 'x', y, fill: stroke, r: 4.5 }),
  ];
}

const caption = (hasFront: boolean, nullName: string | undefined): string =>
  [
    'bars: 95 % intervals',
    ...(nullName ? [`hollow: ${nullName} null`] : []),
    ...(hasFront ? ['dotted: Pareto front'] : []),
  ].join(' · ');

/** Logarithmic where values differ by more than a factor of two. */
function xAxisOf(values: readonly Bar[]): Plot.ScaleOptions {
  const [low, high] = [Math.min(...values.map((bar) => bar.low)), Math.max(...values.map((bar) => bar.high))];
  if (!(low > 0) || high / low < 2) return { domain: extent(values), ticks: 6 };
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

/** Ends of all intervals, with a margin. */
function extent(bars: readonly Bar[]): [number, number] {
  const [low, high] = [Math.min(...bars.map((bar) => bar.low)), Math.max(...bars.map((bar) => bar.high))];
  const margin = 0.08 * (high - low) || 0.1 * Math.abs(high) || 1;
  return [low - margin, high + margin];
}

/** What is to be named, and what the names must not cover. */
function labelsOf(
  series: readonly Series[],
  dots: readonly Dot[],
  front: Figure['front'],
  place: Placing,
): { labels: Label[]; obstacles: Box[] } {
  const spot = ({ x, point }: Dot): Spot => ({ x: place.x.apply(x), y: place.y.apply(point.y.value) });
  const labels: Label[] = [];
  const obstacles: Box[] = [];
  const addBar = (x: number, { low, high, value }: Bar, r: number): void => {
    const y = place.y.apply(value);
    obstacles.push({ left: x - r, right: x + r, top: y - r, bottom: y + r });
    obstacles.push({ left: x - 1.5, right: x + 1.5, top: place.y.apply(high), bottom: place.y.apply(low) });
  };
  for (const [i, dot] of dots.entries()) {
    const { point, series: color } = dot;
    const at = spot(dot);
    addBar(at.x, point.y, 6);
    if (point.beyond) addBar(at.x, point.beyond, 5);
    const { low, high } = point.x;
    obstacles.push({ left: place.x.apply(low), right: place.x.apply(high), top: at.y - 1.5, bottom: at.y + 1.5 });
    if (i > 0 && dots[i - 1].series === color) obstacles.push(...alongLine(spot(dots[i - 1]), at));
    // The last point of a series also bears its name.
    const isLast = dots[i + 1]?.series !== color;
    const words = [...(isLast ? [series[color].name] : []), point.label].filter((word) => word !== '').join(' ');
    if (words !== '') labels.push({ at, text: words, size: isLast ? 13 : 11, bold: isLast, color });
  }
  for (const [i, corner] of front.entries()) {
    if (i === 0) continue;
    const [from, to] = [front[i - 1], corner].map(({ x, y }) => ({ x: place.x.apply(x), y: place.y.apply(y) }));
    obstacles.push(...alongLine(from, { x: to.x, y: from.y }), ...alongLine({ x: to.x, y: from.y }, to));
  }
  // The series' names say the most: they are placed first.
  return { labels: labels.sort((a, b) => Number(b.bold) - Number(a.bold)), obstacles };
}

/** In pixels. */
interface Spot {
  readonly x: number;
  readonly y: number;
}

/** Small boxes along a piece of a line. */
function alongLine(from: Spot, to: Spot): Box[] {
  const count = Math.max(1, Math.round(Math.hypot(to.x - from.x, to.y - from.y) / 8));
  return Array.from({ length: count }, (_, i) => {
    const share = (i + 0.5) / count;
    const [x, y] = [from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)];
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
  anchor?: 'start' | 'end';
  faint?: boolean;
}

function text({ x, y, text: words, size, bold, color, anchor = 'start', faint }: Words): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const style = color === undefined ? '' : ` style="fill:${color}"`;
  const extra = [...(bold ? [' font-weight="600"'] : []), ...(faint ? [' opacity="0.75"'] : [])].join('');
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${size}" text-anchor="${anchor}"${extra}${style}>${escaped}</text>`;
}
