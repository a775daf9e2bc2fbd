/** Schedules: tables of [step, value used for that step]. */
import { z } from 'zod';
import type { Device } from '../../engine/device.ts';
import {
  cubicWarmup,
  linearWarmupDecay,
  warmTenthCosine,
  warmupCosine,
  warmupFromFirst,
} from '../../engine/schedules.ts';
import { readJson } from '../fixture.ts';
import type { Report } from '../report.ts';

const steps = z.number().int().nullable().optional();
const table = z.array(z.tuple([z.number(), z.number()])).optional();
const row = z.object({
  name: z.string(),
  scheduler: z.string().optional(),
  lr: z.number().optional(),
  peak: z.number().optional(),
  training_steps: steps,
  decay_steps: steps,
  total_steps: steps,
  warmup_steps: steps,
  sparsity_warmup_steps: steps,
  warm_up_steps: steps,
  decay_start: steps,
  num_steps: steps,
  lr_init: z.number().optional(),
  lr_peak: z.number().optional(),
  final_value: z.number().optional(),
  factor: table,
  learning_rate: table,
  value: table,
});
const schema = z.object({ schedules: z.array(row) });

type Row = z.output<typeof row>;

/** Schedules of the library by the beginning of their name in the fixture. */
const known: readonly [name: string, make: (row: Row) => (step: number) => number][] = [
  [
    'dictionary_learning linear',
    (row) => linearWarmupDecay(row.total_steps!, row.warmup_steps!, row.decay_start ?? undefined),
  ],
  [
    'dictionary_learning sparsity',
    (row) => linearWarmupDecay(row.total_steps!, row.sparsity_warmup_steps ?? 0, undefined),
  ],
  ['h-sae', (row) => warmupCosine(row.lr_init!, row.lr_peak!, row.warmup_steps!, row.num_steps!)],
  ['hsae-forest', (row) => warmTenthCosine(row.peak!, row.total_steps!)],
  [
    'SAELens get_lr_scheduler constant',
    (row) => {
      const warm = warmupFromFirst(row.warm_up_steps!);
      const decay = linearWarmupDecay(row.training_steps!, 0, row.training_steps! - row.decay_steps!);
      return (step) => row.lr! * warm(step) * decay(step);
    },
  ],
  [
    'compositional cubic warm-up',
    (row) => {
      const factor = cubicWarmup(row.warmup_steps!);
      return (step) => row.lr! * factor(step);
    },
  ],
  [
    'SAELens coefficient',
    (row) => {
      const factor = linearWarmupDecay(Infinity, row.warm_up_steps!, undefined);
      return (step) => row.final_value! * factor(step);
    },
  ],
];

const TOLERANCE = 2e-6;

export function runSchedules(_device: Device, path: string, report: Report): void {
  for (const [i, row] of readJson(path, schema).schedules.entries()) {
    const values = row.factor ?? row.learning_rate ?? row.value ?? [];
    const label = `${i}: ${row.name}`;
    const make = known.find(([name]) => [row.name, row.scheduler].join(' ').startsWith(name))?.[1];
    if (!make) {
      report.skip(label, 'a schedule that no architecture here uses');
      continue;
    }
    const schedule = make(row);
    report.compare(
      label,
      values.map(([step]) => schedule(step)),
      values.map(([, value]) => value),
      { rel: TOLERANCE },
    );
  }
}
