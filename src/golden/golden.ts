/**
 * `npm run golden -- [--device cpu|reference] FOLDER…`: compares this library with stored numbers of the papers' own code.
 * A folder is a case of an architecture or of a metric, a folder of vectors, or anything that contains such folders.
 */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { unknownName } from '../core/config.ts';
import { EXIT, InputError, SaeforestError, UsageError } from '../core/errors.ts';
import { CpuDevice } from '../engine/cpu/device.ts';
import type { Device } from '../engine/device.ts';
import { ReferenceDevice } from '../engine/reference/device.ts';
import type { Adapter } from './adapter.ts';
import { runCase } from './case-run.ts';
import { compositionalAdapter } from './compositional.ts';
import { dynamicSparsityAdapter } from './dynamic-sparsity.ts';
import { SaeFixture } from './fixture.ts';
import { hSaeAdapter } from './h-sae.ts';
import { hsaeForestAdapter } from './hsae-forest.ts';
import { jumpreluAdapters } from './jumprelu.ts';
import { gatedAdapter, reluL1Adapter, reluL1AprilAdapter } from './l1-family.ts';
import { matryoshkaTopKAdapter } from './matryoshka-topk.ts';
import { METRIC_FILE, runMetric } from './metrics.ts';
import { Report } from './report.ts';
import { switchAdapter } from './switch.ts';
import { batchtopkAdapter, matryoshkaAdapter, topkAdapter } from './top-k-family.ts';
import { treeSaeAdapter } from './tree-sae.ts';
import { runVectors, vectorFiles } from './vectors.ts';

// One line each.
// prettier-ignore
const adapters: readonly Adapter[] = [
  topkAdapter,
  batchtopkAdapter,
  reluL1Adapter,
  reluL1AprilAdapter,
  gatedAdapter,
  hSaeAdapter,
  ...jumpreluAdapters,
  matryoshkaAdapter,
  dynamicSparsityAdapter,
  treeSaeAdapter,
  switchAdapter,
  matryoshkaTopKAdapter,
  hsaeForestAdapter,
  compositionalAdapter,
];

const devices: Readonly<Record<string, () => Promise<Device>>> = {
  cpu: () => CpuDevice.create(),
  reference: async () => new ReferenceDevice(),
};

const HELP = 'npm run golden -- [--device cpu|reference] FOLDER…';
const FAILED = 1;

export interface Output {
  print(line: string): void;
  /** For what could not be run. */
  complain(line: string): void;
}

/** @returns the exit code: 0 all passed, 1 some failed, 2 something could not be read */
export async function golden(argv: readonly string[], { print, complain }: Output): Promise<number> {
  const report = new Report(print);
  let unreadable = 0;
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof SaeforestError)) throw error;
      unreadable++;
      complain(`error: ${error.render()}`);
    }
  };
  let device: Device | undefined;
  try {
    await attempt(async () => {
      const { open, folders } = parseArguments(argv);
      const opened = (device = await open());
      for (const folder of folders) {
        await attempt(async () => {
          const found = findFixtures(folder);
          if (found.length > 0) for (const path of found) await attempt(() => runFixture(opened, path, report));
          else throw nothingIn(folder);
        });
      }
      report.summary();
    });
  } finally {
    await device?.close();
  }
  if (report.failed > 0) return FAILED;
  return unreadable > 0 ? EXIT.usage : EXIT.done;
}

function parseArguments(argv: readonly string[]): { open: () => Promise<Device>; folders: string[] } {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      options: { device: { type: 'string', default: 'cpu' } },
      allowPositionals: true,
    });
    const open = devices[values.device];
    if (!open) throw new UsageError(unknownName('device', values.device, Object.keys(devices)), { hint: HELP });
    if (positionals.length === 0) throw new UsageError('no folder given', { hint: HELP });
    return { open, folders: positionals };
  } catch (error) {
    if (error instanceof SaeforestError) throw error;
    throw new UsageError((error as Error).message, { hint: HELP });
  }
}

/** Case folders and files of vectors in (or at) a path, in alphabetical order. */
function findFixtures(path: string): string[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new InputError('no such folder', { where: path, hint: HELP });
  if (!stat.isDirectory()) return ['case.json', METRIC_FILE].includes(basename(path)) ? [dirname(path)] : [path];
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const files = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
  if (files.some((name) => ['case.json', 'tensors.safetensors', METRIC_FILE].includes(name))) return [path];
  // Beside known vectors every other JSON file is taken for vectors too, so that none is left out unnoticed.
  const vectors = files.some((name) => vectorFiles.includes(name))
    ? files.filter((name) => name.endsWith('.json'))
    : [];
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(path, name));
  return [...vectors.map((name) => join(path, name)), ...folders.flatMap(findFixtures)];
}

async function runFixture(device: Device, path: string, report: Report): Promise<void> {
  if (!statSync(path).isDirectory()) {
    report.title(path);
    return runVectors(device, path, report);
  }
  if (existsSync(join(path, METRIC_FILE))) {
    report.title(path);
    return runMetric(path, report);
  }
  const fixture = new SaeFixture(path);
  try {
    const { architecture } = fixture.description;
    const adapter = adapters.find((candidate) => candidate.architecture === architecture);
    const known = adapters.map((candidate) => candidate.architecture);
    if (!adapter) throw new InputError(unknownName('architecture', architecture, known), { where: path });
    report.title(`${path} (${architecture})`);
    await runCase(device, fixture, adapter.open(fixture), report);
  } finally {
    fixture.close();
  }
}

function nothingIn(folder: string): InputError {
  return new InputError('no fixtures here', {
    where: folder,
    hint: `a folder with case.json and tensors.safetensors, with ${METRIC_FILE}, or with some of ${vectorFiles.join(', ')}`,
  });
}
