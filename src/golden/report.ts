/** What a golden run prints: a line per quantity, and the counts of its last line. */

/** How far a number may be from the stored one. */
export type Tolerance =
  /** |actual − stored| ≤ abs, element by element. */
  | { abs: number }
  /** |actual − stored| ≤ rel · |stored|, element by element. */
  | { rel: number }
  /** The same with a bound of its own for each element; `note` says where it comes from. */
  | { each: readonly number[]; note: string }
  /** Integers. */
  | 'exact';

const NAME_WIDTH = 42;

export class Report {
  passed = 0;
  failed = 0;
  readonly #print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  title(text: string): void {
    this.#print(text);
  }

  /** A quantity of the fixture that the library has no counterpart for; neither passed nor failed. */
  skip(name: string, reason: string): void {
    this.#print(`  ${name.padEnd(NAME_WIDTH)}  skipped: ${reason}`);
  }

  compare(
    name: string,
    actual: ArrayLike<number> | number,
    stored: ArrayLike<number> | number,
    tolerance: Tolerance,
  ): void {
    const a = typeof actual === 'number' ? [actual] : actual;
    const b = typeof stored === 'number' ? [stored] : stored;
    if (a.length !== b.length) {
      this.#count(name, false, `${a.length} elements instead of ${b.length}`);
      return;
    }
    let within = true;
    let absolute = 0;
    let largest = 0;
    for (let i = 0; i < b.length; i++) {
      const error = Math.abs(a[i] - b[i]);
      // Written so that NaN fails, and stays the largest error.
      within &&= error <= allowed(tolerance, i, b[i]);
      if (!(error <= absolute)) absolute = Number.isNaN(absolute) ? absolute : error;
      largest = Math.max(largest, Math.abs(b[i]));
    }
    const relative = absolute === 0 ? 0 : absolute / largest;
    this.#count(name, within, `abs ${digits(absolute)}  rel ${digits(relative)}  tolerance ${describe(tolerance)}`);
  }

  summary(): void {
    this.#print(`${this.passed} passed, ${this.failed} failed`);
  }

  #count(name: string, passed: boolean, detail: string): void {
    if (passed) this.passed++;
    else this.failed++;
    this.#print(`  ${name.padEnd(NAME_WIDTH)}  ${detail}  ${passed ? 'ok' : 'FAIL'}`);
  }
}

function allowed(tolerance: Tolerance, i: number, stored: number): number {
  if (tolerance === 'exact') return 0;
  if ('abs' in tolerance) return tolerance.abs;
  return 'rel' in tolerance ? tolerance.rel * Math.abs(stored) : tolerance.each[i];
}

function describe(tolerance: Tolerance): string {
  if (tolerance === 'exact') return 'exact';
  if ('abs' in tolerance) return `${digits(tolerance.abs)} abs`;
  return 'rel' in tolerance ? `${digits(tolerance.rel)} rel` : tolerance.note;
}

const digits = (value: number): string => value.toExponential(1).padStart(7);
