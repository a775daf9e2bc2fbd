/** Real models, texts and golden numbers that lie outside the repository. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'vitest';

const ROOT = resolve(process.env.SAEFOREST_SHARED ?? join(import.meta.dirname, '../../../shared'));

/** Absolute path of something in the shared folder; it need not exist. */
export function sharedPath(relative: string): string {
  return join(ROOT, relative);
}

/**
 * A suite that needs something in the shared folder: left out with a line that says so where it is absent, except in
 * continuous integration, where its absence is a failure.
 */
export function describeWithShared(relative: string, title: string, suite: (path: string) => void): void {
  const path = sharedPath(relative);
  if (existsSync(path)) {
    describe(title, () => suite(path));
  } else if (process.env.CI) {
    describe(title, () => {
      it(`needs ${path}`, () => {
        throw new Error(`${path} is missing: set SAEFOREST_SHARED to the folder that holds ${relative}`);
      });
    });
  } else {
    describe.skip(`${title} (skipped: no ${path}; SAEFOREST_SHARED names the folder that holds ${relative})`, () => {
      it('is skipped', () => {});
    });
  }
}
