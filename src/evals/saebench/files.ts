/** Which files SAEBench would have written: `<folder>/core/<release>_<id>_eval_results.json`, … */
import { join } from 'node:path';
import { makeFolder, writeFileAtomic } from '../../core/files.ts';
import type { SuiteResult } from '../metric.ts';
import { saeBenchAbsorption } from './absorption.ts';
import { saeBenchCore } from './core.ts';
import type { Stamp, Subject } from './output.ts';
import { saeBenchSparseProbing } from './sparse-probing.ts';

/** By our suites: folder of SAEBench's results, and how one is made. */
const FORMATS: Readonly<
  Record<string, { folder: string; make: (result: SuiteResult, subject: Subject, stamp: Stamp) => object | string }>
> = {
  core: { folder: 'core', make: saeBenchCore },
  absorption: { folder: 'absorption', make: saeBenchAbsorption },
  probing: { folder: 'sparse_probing', make: saeBenchSparseProbing },
};

/** @returns the file that was written, or why there is none */
export function writeSaeBench(
  folder: string,
  suite: string,
  result: SuiteResult,
  subject: Subject,
  stamp: Stamp,
): { readonly path: string } | { readonly none: string } {
  if (!Object.hasOwn(FORMATS, suite)) return { none: `SAEBench has no file for the suite ${suite}` };
  const format = FORMATS[suite];
  const document = format.make(result, subject, stamp);
  if (typeof document === 'string') return { none: document };
  const name = `${subject.release}_${subject.id}_eval_results.json`.replaceAll('/', '_');
  const path = join(folder, format.folder, name);
  makeFolder(join(folder, format.folder));
  writeFileAtomic(path, `${JSON.stringify(document, null, 2)}\n`);
  return { path };
}
