import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseColumn } from '../../src/compare/columns.ts';
import { dodge } from '../../src/compare/dodge.ts';
import { draw } from '../../src/compare/draw.ts';
import { overlap, placeLabels, type Label } from '../../src/compare/labels.ts';
import { figureOf } from '../../src/compare/plots.ts';
import { rowsOf } from '../../src/compare/rows.ts';
import { besideNull } from '../../src/evals/metric.ts';
import { family, fakeRun, score } from './support.ts';

const AXES = { x: parseColumn('core.l0_total'), y: parseColumn('core.variance_explained') };

/** Attribute values of all elements of a kind. */
const attributes = (svg: string, element: string, name: string): string[] =>
  [...svg.matchAll(new RegExp(`<${element}\\b[^>]*\\b${name}="([^"]*)"`, 'g'))].map(([, value]) => value);

const label = (x: number, y: number, text: string): Label => ({
  at: { x, y },
  text,
  size: 12,
  bold: false,
  color: 0,
});

const mark = (x: number, top: number, bottom: number) => ({ x, spans: [[top, bottom]] as const });

describe('a plot', () => {
  const figure = figureOf(rowsOf(family([0, 1])), AXES)!;
  const svg = draw(figure);

  it('has a series per architecture, a point per row, and the Pareto front', () => {
    expect(figure.series.map(({ name, points }) => [name, points.map(({ label }) => label)])).toEqual([
      ['topk', ['k=2', 'k=4', 'k=8']],
      ['h-sae', ['']],
    ]);
    expect(figure.front.map(({ x }) => Math.round(x))).toEqual([2, 4]);
    expect([figure.x, figure.y]).toEqual([
      'total L0 (latents per token, lower is sparser)',
      'variance explained (share, higher is better)',
    ]);
  });

  it('is one SVG with names beside the points, for light and dark pages', () => {
    expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    expect(svg.match(/<\/?svg\b/g)).toHaveLength(2);
    expect(svg).toContain('prefers-color-scheme:dark');
    for (const name of ['topk k=8', 'k=2', 'k=4', 'h-sae', '↑ variance explained (share, higher is better)']) {
      expect(svg).toContain(`>${name}</text>`);
    }
    expect(attributes(svg, 'circle', 'cx')).toHaveLength(4);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(svg).not.toContain('null');
    expect(draw(figure)).toBe(svg);
  });

  it('draws the null of a metric as hollow points', () => {
    const mcs = besideNull(score(0.7), 'shuffled', Float64Array.of(0.1, 0.2, 0.3), 'permuted');
    const run = fakeRun('a', { core: { l0_total: score(4) }, hierarchy: { mcs } });
    const drawn = draw(figureOf(rowsOf([run]), { x: AXES.x, y: parseColumn('hierarchy.mcs') })!);
    expect(attributes(drawn, 'circle', 'cx')).toHaveLength(2);
    expect(drawn).toContain('hollow: shuffled null');
  });

  it('is none where no row has both axes', () => {
    expect(figureOf(rowsOf(family([0])), { x: AXES.x, y: parseColumn('hierarchy.mcs') })).toBeUndefined();
  });
});

describe('labels', () => {
  const frame = { left: 0, right: 400, top: 0, bottom: 300 };

  it('stand right of their points where there is room, inside the frame', () => {
    const [alone] = placeLabels([label(100, 100, 'topk')], [], frame);
    expect([alone.x > 100, Math.abs(alone.y - 104) < 2]).toEqual([true, true]);
    const [edge] = placeLabels([label(395, 100, 'a long name')], [], frame);
    expect(edge.x).toBeLessThan(330);
  });

  it('property: a few never cover each other', () => {
    const place = fc.tuple(fc.integer({ min: 80, max: 320 }), fc.integer({ min: 60, max: 240 }));
    fc.assert(
      fc.property(fc.array(place, { minLength: 2, maxLength: 5 }), (places) => {
        const placed = placeLabels(
          places.map(([x, y]) => label(x, y, 'k=16')),
          [],
          frame,
        );
        const boxes = placed.map(({ x, y }) => ({ left: x, right: x + 4 * 12 * 0.56, top: y - 9.6, bottom: y + 3 }));
        for (const [i, a] of boxes.entries()) {
          for (const b of boxes.slice(i + 1)) expect(overlap(a, b)).toBeLessThan(1e-6);
        }
      }),
    );
  });
});

describe('marks', () => {
  it('that would cover each other move apart, the others stay', () => {
    expect(dodge([mark(100, 0, 10), mark(101, 5, 20), mark(100, 30, 40), mark(120, 0, 10)])).toEqual([-4.5, 4.5, 0, 0]);
    expect(dodge([mark(100, 0, 10), mark(100, 5, 20), mark(100, 15, 30)])).toEqual([-9, 0, 9]);
    expect(dodge([])).toEqual([]);
  });
});
