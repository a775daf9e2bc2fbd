/** Where names stand beside points so that they cover neither each other nor what is drawn. */

export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

export interface Label {
  /** The point that it names, in pixels. */
  readonly at: { readonly x: number; readonly y: number };
  readonly text: string;
  /** Of the letters, in pixels. */
  readonly size: number;
  readonly bold: boolean;
  /** Number of the series. */
  readonly color: number;
}

export interface PlacedLabel {
  readonly label: Label;
  /** Left end of the base line. */
  readonly x: number;
  readonly y: number;
}

/** Of letters of usual sans-serif fonts, a little more than most need. */
const textWidth = ({ text, size, bold }: Label): number => text.length * size * (bold ? 0.6 : 0.56);

/** Distances from the point, in multiples of 7 pixels. */
const RINGS = [1, 2, 3, 4, 6, 8];

/** One by one, each at the free place that is nearest to its point; where none is free, at the one that covers least. */
export function placeLabels(labels: readonly Label[], obstacles: readonly Box[], frame: Box): PlacedLabel[] {
  const taken = [...obstacles];
  return labels.map((label) => {
    const places = RINGS.flatMap((ring) => around(label, 7 * ring)).filter(
      ({ box }) =>
        box.left >= frame.left && box.right <= frame.right && box.top >= frame.top && box.bottom <= frame.bottom,
    );
    const [first] = around(label, 7);
    let [best, least] = [first, Infinity];
    for (const place of places) {
      const covered = taken.reduce((sum, box) => sum + overlap(place.box, box), 0);
      if (covered < least) [best, least] = [place, covered];
      if (covered === 0) break;
    }
    taken.push(best.box);
    return { label, x: best.x, y: best.y };
  });
}

/** Right, above, below, left, and the corners. */
function around(label: Label, distance: number): { x: number; y: number; box: Box }[] {
  const { at, size } = label;
  const width = textWidth(label);
  const middle = at.y + 0.35 * size;
  const [above, below] = [at.y - distance, at.y + distance + 0.8 * size];
  const [right, left, centre] = [at.x + distance + 2, at.x - distance - 2 - width, at.x - width / 2];
  return [
    [right, middle],
    [right, above],
    [right, below],
    [centre, above],
    [centre, below],
    [left, middle],
    [left, above],
    [left, below],
  ].map(([x, y]) => ({ x, y, box: { left: x, right: x + width, top: y - 0.8 * size, bottom: y + 0.25 * size } }));
}

/** Area that two boxes share. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  return width > 0 && height > 0 ? width * height : 0;
}
