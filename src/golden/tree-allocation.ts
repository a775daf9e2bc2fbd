/** `reallocation.json` of the Tree SAE fixtures: quotas, moves of dead children, root reset, schedule and capacities. */
import { z } from 'zod';
import { Random } from '../core/random.ts';
import {
  addCapacity,
  attachDeadToRoot,
  dueAfter,
  fillRoot,
  greedyQuotas,
  reallocateDeadChildren,
  type AllocationClock,
  type Families,
} from '../forest/allocation.ts';
import { readJson } from './fixture.ts';
import type { Report, Tolerance } from './report.ts';

const numbers = z.array(z.number());
const perLayer = z.array(numbers);
const schedule = {
  realloc_interval: z.number(),
  realloc_interval_growth: z.number(),
  max_realloc_interval: z.number(),
  root_reset_step: z.number().nullable(),
};
const layers = { features_per_layer: numbers, dead_steps_threshold: z.number(), parent_eligibility_steps: z.number() };
const parents = z.object({ parent_index: perLayer });

const schema = z.object({
  greedy_allocation: z.array(
    z.object({
      name: z.string(),
      capacities: numbers,
      n_children: z.number(),
      eligible: z.array(z.boolean()),
      quotas: numbers,
    }),
  ),
  reallocate_dead_children: z.array(
    z.object({
      ...layers,
      root_init_frac: z.number(),
      before: z.object({ parent_index: perLayer, capacity: perLayer, steps_since_fired: perLayer }),
      quotas: perLayer,
      after_reallocate: parents,
      moved: numbers,
      after_root_reset: parents,
    }),
  ),
  schedule: z.array(
    z.object({
      ...schedule,
      total_steps: z.number(),
      events: z.array(z.object({ type: z.enum(['reallocate', 'root_reset']), after_step: z.number() })),
    }),
  ),
  capacity: z.array(
    z.object({
      ...layers,
      ...schedule,
      legacy_allocation_order: z.boolean(),
      before: z.object({ parent_index: perLayer, steps_since_fired: perLayer }),
      steps: z.array(
        z.object({
          loss: z.number(),
          fired_in_batch: perLayer,
          capacity_after: perLayer,
          parent_index_after: perLayer,
        }),
      ),
    }),
  ),
});

/** Capacities are float32 here and in the source. */
const CAPACITY: Tolerance = { rel: 1e-6 };

export function runAllocation(path: string, report: Report): void {
  const file = readJson(path, schema);
  for (const { name, capacities, eligible, n_children: children, quotas } of file.greedy_allocation)
    report.compare(`greedy_allocation, ${name}`, greedyQuotas(capacities, eligible, children), quotas, 'exact');

  for (const [i, stored] of file.reallocate_dead_children.entries()) {
    const families = familiesOf(
      stored,
      stored.before.parent_index,
      stored.before.steps_since_fired,
      stored.before.capacity,
    );
    for (const [l, family] of families.entries()) {
      const label = `reallocate[${i}], layer ${l + 1}`;
      const start = family.parent.slice();
      const frozen = stored.root_init_frac > 0;
      if (frozen) fillRoot(family, stored.root_init_frac, new Random(0));
      report.compare(`${label}: quotas`, reallocateDeadChildren(family, frozen), stored.quotas[l], 'exact');
      report.compare(`${label}: parents`, family.parent, stored.after_reallocate.parent_index[l], 'exact');
      const moved = family.parent.filter((parent, c) => parent !== start[c]).length;
      report.compare(`${label}: moved`, moved, stored.moved[l], 'exact');
      attachDeadToRoot(family);
      report.compare(`${label}: root reset`, family.parent, stored.after_root_reset.parent_index[l], 'exact');
    }
  }

  for (const [i, stored] of file.schedule.entries()) {
    let clock = startOf(stored.realloc_interval);
    const events: number[] = [];
    for (let completed = 1; completed <= stored.total_steps; completed++) {
      const after = tick(stored, clock, completed);
      clock = after.clock;
      if (after.due) events.push(completed, Number(after.due === 'reset'));
    }
    const wanted = stored.events.flatMap(({ type, after_step: step }) => [step, Number(type === 'root_reset')]);
    report.compare(`schedule[${i}]`, events, wanted, 'exact');
  }

  for (const [i, stored] of file.capacity.entries()) runCapacity(`capacity[${i}]`, stored, report);
}

/** Steps of a model of which only the losses and what fired are known; counters of dead latents stand still. */
function runCapacity(label: string, stored: z.output<typeof schema>['capacity'][number], report: Report): void {
  const { features_per_layer: sizes, legacy_allocation_order: legacy } = stored;
  const starts = sizes.map((_, l) => sizes.slice(0, l).reduce((sum, size) => sum + size, 0));
  const capacities = sizes.slice(1).map((_, i) => new Float32Array(starts[i + 1] + 1));
  const parent: Uint32Array[] = stored.before.parent_index.map((indices) => Uint32Array.from(indices));
  let clock = startOf(stored.realloc_interval);
  for (const [step, { loss, fired_in_batch: fired, ...after }] of stored.steps.entries()) {
    const flat = fired.flat();
    clock = { ...clock, sinceReallocation: clock.sinceReallocation + 1 };
    const allocate = (): void => {
      const result = dueAfter(scheduleOf(stored), clock, step + 1);
      clock = result.clock;
      if (!result.due) return;
      for (const [l, family] of familiesOf(stored, parent, stored.before.steps_since_fired, capacities).entries()) {
        reallocateDeadChildren(family);
        parent[l] = family.parent;
        capacities[l].fill(0);
      }
    };
    for (const capacity of capacities) {
      addCapacity(capacity, (p) => flat[p] === 1, loss);
      if (legacy) allocate();
    }
    if (!legacy) allocate();
    for (const [l, capacity] of capacities.entries()) {
      report.compare(`${label}, step ${step}, layer ${l + 1}`, capacity, after.capacity_after[l], CAPACITY);
      report.compare(`${label}, step ${step}, parents ${l + 1}`, parent[l], after.parent_index_after[l], 'exact');
    }
  }
}

/** What the layers behind the first know of their parents. */
function familiesOf(
  layer: { dead_steps_threshold: number; parent_eligibility_steps: number },
  parent: readonly ArrayLike<number>[],
  since: readonly number[][],
  capacity: readonly ArrayLike<number>[],
): Families[] {
  return since.slice(1).map((counts, l) => ({
    parent: Uint32Array.from(parent[l]),
    dead: counts.map((count) => count >= layer.dead_steps_threshold),
    capacity: capacity[l],
    eligible: [
      ...since
        .slice(0, l + 1)
        .flat()
        .map((count) => count < layer.parent_eligibility_steps),
      true,
    ],
  }));
}

type StoredSchedule = z.output<z.ZodObject<typeof schedule>>;

const startOf = (interval: number): AllocationClock => ({ interval, sinceReallocation: 0, resetDone: 0 });

const scheduleOf = (stored: StoredSchedule): Parameters<typeof dueAfter>[0] => ({
  interval: stored.realloc_interval,
  growth: stored.realloc_interval_growth,
  maxInterval: stored.max_realloc_interval,
  rootReset: stored.root_reset_step,
});

function tick(stored: StoredSchedule, clock: AllocationClock, completed: number): ReturnType<typeof dueAfter> {
  return dueAfter(scheduleOf(stored), { ...clock, sinceReallocation: clock.sinceReallocation + 1 }, completed);
}
