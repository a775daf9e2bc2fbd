/** A small line plot as SVG: every curve in grey, one highlighted, names beside the curves instead of a legend. */

const [WIDTH, HEIGHT] = [620, 320];
const FRAME = { left: 52, right: 130, top: 14, bottom: 42 };
const [GREY, INK, HIGHLIGHT] = ['#b9b7b0', '#55534d', '#2f6db5'];

/**
 * @param curves [{ name, points: [{ x, y }] }], points by x; the x axis is logarithmic
 * @param highlighted name of a curve
 * @param labels of the axes
 */
export function plot(curves, highlighted, labels) {
  const all = curves.flatMap(({ points }) => points);
  const x = scale(
    all.map((point) => Math.log2(point.x)),
    FRAME.left,
    WIDTH - FRAME.right,
  );
  const y = scale(
    all.map((point) => point.y),
    HEIGHT - FRAME.bottom,
    FRAME.top,
  );
  const at = (point) => [x.place(Math.log2(point.x)), y.place(point.y)];
  const ordered = [
    ...curves.filter(({ name }) => name !== highlighted),
    ...curves.filter(({ name }) => name === highlighted),
  ];
  const bottom = HEIGHT - FRAME.bottom;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" fill="${INK}">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    ...ticks(x.low, x.high, 4, (value) => String(Number((2 ** value).toPrecision(3)))).flatMap(({ value, text }) => [
      `<line x1="${x.place(value)}" y1="${bottom}" x2="${x.place(value)}" y2="${bottom + 4}" stroke="${INK}"/>`,
      `<text x="${x.place(value)}" y="${bottom + 17}" text-anchor="middle">${text}</text>`,
    ]),
    ...ticks(y.low, y.high, 4, (value) => value.toFixed(2)).flatMap(({ value, text }) => [
      `<line x1="${FRAME.left}" y1="${y.place(value)}" x2="${WIDTH - FRAME.right}" y2="${y.place(value)}" stroke="#eceae4"/>`,
      `<text x="${FRAME.left - 7}" y="${y.place(value) + 4}" text-anchor="end">${text}</text>`,
    ]),
    `<line x1="${FRAME.left}" y1="${bottom}" x2="${WIDTH - FRAME.right}" y2="${bottom}" stroke="${INK}"/>`,
    `<text x="${(FRAME.left + WIDTH - FRAME.right) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${labels.x}</text>`,
    `<text transform="translate(13 ${(FRAME.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${labels.y}</text>`,
    ...ordered.flatMap(({ name, points }) => curve(points.map(at), name === highlighted)),
    ...names(ordered, at, highlighted),
    '</svg>',
  ].join('\n')}\n`;
}

function curve(places, isHighlighted) {
  const color = isHighlighted ? HIGHLIGHT : GREY;
  const path = places.map(([x, y]) => `${x},${y}`).join(' ');
  return [
    `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="${isHighlighted ? 2.5 : 1.5}"/>`,
    ...places.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="${isHighlighted ? 4 : 2.5}" fill="${color}"/>`),
  ];
}

/** To the right of each curve's end, pushed apart until none covers another. */
function names(curves, at, highlighted) {
  const step = 13;
  const labels = curves
    .map(({ name, points }) => ({ name, end: at(points.at(-1)) }))
    .sort((a, b) => a.end[1] - b.end[1])
    .map((label) => ({ ...label, y: label.end[1] + 4 }));
  for (const [i, label] of labels.entries()) if (i > 0) label.y = Math.max(label.y, labels[i - 1].y + step);
  const over = Math.max(0, (labels.at(-1)?.y ?? 0) - (HEIGHT - FRAME.bottom));
  for (const label of labels) label.y -= over;
  for (let i = labels.length - 2; i >= 0; i--) labels[i].y = Math.min(labels[i].y, labels[i + 1].y - step);
  return labels.map(({ name, end, y }) => {
    const style = name === highlighted ? `fill="${HIGHLIGHT}" font-weight="bold"` : 'fill="#8a8881"';
    const x = WIDTH - FRAME.right + 10;
    return `<path d="M${end[0] + 4} ${end[1]}L${x - 2} ${round(y - 4)}" stroke="#e2e0d9"/><text x="${x}" y="${round(y)}" ${style}>${name}</text>`;
  });
}

/** Linear, with a margin of 6 % on both sides. */
function scale(values, from, to) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = 0.06 * (most - least || 1);
  const [low, high] = [least - margin, most + margin];
  return { low, high, place: (value) => round(from + ((value - low) / (high - low)) * (to - from)) };
}

/** Round values in [low, high], some `wanted` of them. */
function ticks(low, high, wanted, write) {
  const raw = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => {
    const value = (first + i) * step;
    return { value, text: write(value) };
  });
}

function round(value) {
  return Number(value.toFixed(1));
}
