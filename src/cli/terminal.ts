/**
 * All that the program prints. With `--json` one JSON document goes to stdout and everything else to stderr;
 * progress is one rewritten line on a terminal and plain lines, at most one every few seconds, elsewhere.
 */
import pc from 'picocolors';

const PLAIN_INTERVAL_MS = 5000;

export class Terminal {
  readonly json: boolean;
  readonly colors = pc;
  #lastPlain = -Infinity;
  #lineOpen = false;

  constructor(json: boolean) {
    this.json = json;
  }

  /** A line for the reader (stderr under `--json`). */
  print(line = ''): void {
    this.#closeLine();
    (this.json ? process.stderr : process.stdout).write(`${line}\n`);
  }

  /** A line about the work itself, always on stderr. */
  note(line: string): void {
    this.#closeLine();
    process.stderr.write(`${line}\n`);
  }

  /** The current state of a long job. `last` prints even if another line was printed a moment ago. */
  progress(line: string, last = false): void {
    if (process.stderr.isTTY) {
      process.stderr.write(`\r\x1b[2K${line.slice(0, (process.stderr.columns || 120) - 1)}`);
      this.#lineOpen = true;
      if (last) this.#closeLine();
    } else if (last || performance.now() - this.#lastPlain > PLAIN_INTERVAL_MS) {
      this.#lastPlain = performance.now();
      process.stderr.write(`${line}\n`);
    }
  }

  /** The result of the command: `document` under `--json`, otherwise `lines`. */
  result(document: unknown, lines: readonly string[]): void {
    this.#closeLine();
    process.stdout.write(
      this.json ? `${JSON.stringify(document, null, 2)}\n` : lines.map((line) => `${line}\n`).join(''),
    );
  }

  #closeLine(): void {
    if (this.#lineOpen) process.stderr.write('\n');
    this.#lineOpen = false;
  }
}

/** Columns aligned by width; by default the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[], align: readonly ('left' | 'right')[] = ['left']): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, i) => ((align[i] ?? 'right') === 'left' ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd(),
  );
}

/** `93 s`, `12 min`, `2.3 h` */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '…';
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** Lines such as `rows passed over: 40,000 of 1,000,000, 12 s left`, for work that comes in several kinds. */
export class Countdown {
  readonly #terminal: Terminal;
  #what = '';
  #began = 0;
  #from = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  readonly report = (what: string, done: number, of: number): void => {
    if (what !== this.#what) [this.#what, this.#began, this.#from] = [what, performance.now(), done];
    const seconds = (performance.now() - this.#began) / 1000;
    const left = duration((seconds * (of - done)) / (done - this.#from));
    const [now, end] = [done, of].map((number) => Math.round(number).toLocaleString('en'));
    this.#terminal.progress(`${what}: ${now} of ${end}, ${left} left`);
  };
}
