#!/usr/bin/env node
/** Runs the demo and draws what it prints as docs/demo.svg: `npm run build && node docs/make-demo-picture.mjs` */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../bin/saeforest.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'saeforest-demo-'));
const printed = execFileSync(process.execPath, [program, 'demo', '--out', join(folder, 'runs')], {
  encoding: 'utf8',
  env: { ...process.env, NO_COLOR: '1' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
rmSync(folder, { recursive: true });

const parts = printed
  .trim()
  .split('\n\n')
  .map((part) => part.split('\n'));
const table = parts.find(([first]) => first.includes('variance explained'));
const drawings = parts.filter(([, second]) => second?.startsWith('recovered'));
const [width, lineHeight, top] = [980, 17, 28];
const height = top + lineHeight * (table.length + 2 + Math.max(...drawings.map(({ length }) => length))) + 8;
const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
const color = (line) =>
  escape(line)
    .replaceAll('✓', '<tspan fill="#2e8b57">✓</tspan>')
    .replaceAll(/[✗](?= )/g, '<tspan fill="#c05050">$&</tspan>');
const text = (line, x, y, bold) => `<text x="${x}" y="${y}"${bold ? ' font-weight="bold"' : ''}>${color(line)}</text>`;
/** The two columns of a drawing stand apart whatever font the reader has. */
const lines = ([title, ...rows], x, y) => {
  const split = rows[0].indexOf('true');
  return [
    text(title, x, y, true),
    ...rows.flatMap((row, i) => [
      text(row.slice(0, split).trimEnd(), x, y + (i + 1) * lineHeight),
      text(row.slice(split).trimEnd(), x + 230, y + (i + 1) * lineHeight),
    ]),
  ];
};
const COLUMNS = [20, 110, 270, 320, 450, 570, 640, 710, 780];
const cells = (block) =>
  block.flatMap((line, i) => {
    const row = line.trim().split(/ {2,}/);
    return (i === 0 ? ['', ...row] : row).map((cell, c) => text(cell, COLUMNS[c], top + i * lineHeight, i === 0));
  });
const y = top + lineHeight * (table.length + 1);
const svg = [
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="ui-monospace, monospace" font-size="13" xml:space="preserve">`,
  `<rect width="${width}" height="${height}" rx="8" fill="#fbfaf7"/>`,
  ...cells(table),
  ...drawings.flatMap((drawing, i) => lines(drawing, 20 + i * 480, y)),
  '</svg>',
];
writeFileSync(new URL('demo.svg', import.meta.url), `${svg.join('\n')}\n`);
