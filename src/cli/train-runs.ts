/** What `train` and `demo` do: make plans, and train them until they are done or the user interrupts. */
import { CpuDevice } from '../engine/cpu/device.ts';
import { trainGroup, type GroupOptions, type TrainingOutcome } from '../training/group.ts';
import { untilInterrupted } from './interrupt.ts';
import { newPlans, resumePlans, type PlanRequest } from './train-plans.ts';

export interface TrainingRequest extends PlanRequest, Omit<GroupOptions, 'signal'> {
  resume: boolean;
}

/** @throws SaeforestError of every kind; folders are left as the error says */
export async function runTraining(request: TrainingRequest): Promise<TrainingOutcome> {
  const plans = request.resume ? resumePlans(request) : newPlans(request);
  return untilInterrupted(request, async (signal) => {
    const device = await CpuDevice.create(request.threads === undefined ? {} : { threads: request.threads });
    try {
      return await trainGroup(device, plans, { ...request, signal });
    } finally {
      await device.close();
    }
  });
}
