/** A thread that takes its share of the steps. */
import { parentPort, workerData } from 'node:worker_threads';
import { takeSteps, type Orthogonalization } from './orthogonalize-steps.ts';

const { thread, ...job } = workerData as Orthogonalization & { thread: number };
await takeSteps(job, thread, (done) => parentPort!.postMessage(done));
