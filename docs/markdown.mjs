/** Pieces of a Markdown page. */

export function markdownTable(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

export function number(value, digits) {
  return value === undefined || value === null ? '–' : value.toFixed(digits);
}
