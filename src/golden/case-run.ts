/** Runs one case of an architecture: the single forward and backward pass, then the step protocol. */
import { codesToDense } from '../core/codes.ts';
import { readCodes, sizeOf, type Device, type Tensor } from '../engine/device.ts';
import { decode } from '../engine/ops/decode.ts';
import { Optimizer } from '../engine/optim.ts';
import { Tape } from '../engine/tape.ts';
import type { TrainableSae } from '../sae/architecture.ts';
import { inInputSpace } from '../sae/reconstructor.ts';
import { trainStep } from '../training/step.ts';
import type { CaseAdapter, Named, Pass, Variant } from './adapter.ts';
import type { SaeFixture } from './fixture.ts';
import type { Report, Tolerance } from './report.ts';

type Floats = Tensor & { dtype: 'f32' };

export async function runCase(
  device: Device,
  fixture: SaeFixture,
  adapter: CaseAdapter,
  report: Report,
): Promise<void> {
  for (const variant of adapter.variants) await runPass(device, fixture, adapter, variant, report);
  for (const variant of adapter.variants.filter(isCompared)) await runSteps(device, fixture, adapter, variant, report);
  for (const name of fixture.unused) report.skip(name, 'not known to the adapter of this architecture');
}

async function runPass(
  device: Device,
  fixture: SaeFixture,
  adapter: CaseAdapter,
  variant: Variant,
  report: Report,
): Promise<void> {
  const sae = build(device, fixture, adapter, variant);
  const optimizer = new Optimizer(device, sae.parameters, sae.update);
  const x = device.persistent('f32', adapter.batch, adapter.d);
  device.write(x, fixture.numbers('x', adapter.batch * adapter.d));

  device.beginStep();
  const tape = new Tape(device);
  optimizer.watch(tape);
  const forward = sae.forward(tape, x, adapter.passStep);
  tape.backward(Object.values(forward.losses));
  await compareGradients(device, fixture, adapter, variant.gradients, optimizer.gradients, report);
  const squares = optimizer.prepare(tape);
  const projected = variant.gradients.replace('grad', 'grad_projected');
  await compareGradients(device, fixture, adapter, projected, optimizer.gradients, report);

  let [total, square] = [0, 0];
  const losses: Record<string, number> = {};
  for (const [name, { value, weight }] of Object.entries(forward.losses)) {
    [losses[name]] = await device.read(value);
    total += weight * losses[name];
  }
  for (const part of squares) square += (await device.read(part))[0];
  forward.commit();
  await device.flush();
  const { gradients } = optimizer;
  const pass: Pass = { device, tape, sae, x, forward, losses, total, gradients, gradientNorm: Math.sqrt(square) };
  const label = variant.name === undefined ? 'losses' : `losses.${variant.name}`;
  const { losses: stored } = fixture.description;
  const wanted = variant.name === undefined ? stored : (stored[variant.name] as Record<string, unknown> | undefined);
  compareNamed(report, label, await adapter.losses(pass), wanted ?? {}, fixture.tolerance('losses'));
  if (!isCompared(variant, adapter.variants.indexOf(variant))) return;
  await compareReconstructions(pass, fixture, adapter, variant, report);
  await adapter.compare(pass, report);
}

/** Whether there are codes, reconstructions and steps of a variant to compare with. */
const isCompared = ({ suffix }: Variant, i: number): boolean => i === 0 || suffix !== undefined;

/** Codes and reconstructions: of training, of inference, and as everything after training computes them. */
async function compareReconstructions(
  pass: Pass,
  fixture: SaeFixture,
  adapter: CaseAdapter,
  { suffix = '' }: Variant,
  report: Report,
): Promise<void> {
  const { device, sae, tape, x, forward } = pass;
  const tolerance = fixture.tolerance('forward');
  const dense = async (codes: typeof forward.codes): Promise<Float32Array> =>
    codesToDense(await readCodes(device, codes));
  const [code, output] = [`code${suffix}`, `x_hat${suffix}`];
  // A variant may differ in its steps only.
  if (!fixture.has(code)) return;
  report.compare(code, await dense(forward.codes), fixture.numbers(code), tolerance);
  const inference = fixture.has(`code_inference${suffix}`) ? `code_inference${suffix}` : code;
  report.compare(`${inference}, by encode()`, await dense(sae.encode(tape, x)), fixture.numbers(inference), tolerance);
  report.compare(output, await device.read(forward.reconstruction as Floats), fixture.numbers(output), tolerance);

  await device.flush();
  const dictionary = sae.dictionary(tape);
  for (const { name, from, to } of sae.views) {
    const stored = name === 'full' ? output : `${adapter.viewTensor?.(name) ?? `x_hat_${name}`}${suffix}`;
    if (!fixture.has(stored)) {
      report.skip(`view ${name}`, `the fixture has no ${stored}`);
      continue;
    }
    const view = inInputSpace(
      tape,
      sae,
      x,
      decode(tape, forward.codes, dictionary, sae.outputBias, { range: { from, to } }),
    );
    report.compare(`${stored}, view ${name}`, await device.read(view as Floats), fixture.numbers(stored), tolerance);
  }
}

async function runSteps(
  device: Device,
  fixture: SaeFixture,
  adapter: CaseAdapter,
  variant: Variant,
  report: Report,
): Promise<void> {
  const { suffix = '' } = variant;
  const sae = build(device, fixture, adapter, variant);
  const optimizer = new Optimizer(device, sae.parameters, sae.update);
  const x = device.persistent('f32', adapter.batch, adapter.d);
  const log = stepLog(fixture, variant);
  if (!log && suffix === '')
    report.skip('step_log', 'of several variants: not known to the adapter of this architecture');
  for (let step = 0; fixture.has(`batch${step}`); step++) {
    const batch = fixture.numbers(`batch${step}`, adapter.batch * adapter.d);
    device.write(x, batch);
    if (step === 0) {
      sae.start(Float32Array.from(batch));
      for (const { stored, ours } of adapter.parameters) {
        const name = `after0.${stored}`;
        if (!fixture.has(name)) continue;
        const started = await device.read(parameter(sae, ours));
        report.compare(`${name}${suffix}`, started, fixture.numbers(name), fixture.tolerance('after'));
      }
    }
    const trained = (adapter.firstStep ?? 0) + step;
    const result = await trainStep(device, sae, optimizer, x, trained);
    const taken = { device, sae, x, step: trained, result };
    const wanted = log?.[step];
    const named = { step, ...(await adapter.log(taken)) };
    if (wanted) compareNamed(report, `step_log${suffix}[${step}]`, named, wanted, fixture.tolerance('losses'));
    const prefix = `after${step + 1}${suffix}.`;
    if (!fixture.names.some((name) => name.startsWith(prefix))) continue;
    for (const { stored, ours, transposed } of adapter.parameters) {
      const names = prefixed(`${prefix}param.`, stored);
      // Some steps are pinned by their state alone.
      if (!names.every((name) => fixture.has(name))) continue;
      const tensor = parameter(sae, ours);
      const expected = read(fixture, names, transposed, sizeOf(tensor.shape));
      report.compare(names.join(', '), await device.read(tensor), expected, fixture.tolerance('after'));
    }
    await adapter.compareState(taken, prefix, report);
  }
}

/** The entries of `step_log` for a variant: a list of its own where lists stand by name. */
function stepLog({ description: { step_log: log } }: SaeFixture, { name, suffix }: Variant): StepLog | undefined {
  if (Array.isArray(log)) return suffix === undefined ? log : undefined;
  const own = name === undefined ? undefined : log[name];
  return Array.isArray(own) ? (own as StepLog) : undefined;
}

type StepLog = readonly Record<string, unknown>[];

/** The model with the parameters of the fixture. */
function build(device: Device, fixture: SaeFixture, adapter: CaseAdapter, variant: Variant): TrainableSae {
  const sae = adapter.build(device, variant);
  for (const { stored, ours, transposed } of adapter.parameters) {
    const tensor = parameter(sae, ours);
    device.write(tensor, read(fixture, prefixed('param.', stored), transposed, sizeOf(tensor.shape)));
  }
  return sae;
}

/** All gradients that the fixture has under this prefix. */
async function compareGradients(
  device: Device,
  fixture: SaeFixture,
  adapter: CaseAdapter,
  prefix: string,
  gradients: Readonly<Record<string, Tensor>>,
  report: Report,
): Promise<void> {
  for (const { stored, ours, transposed } of adapter.parameters) {
    const names = prefixed(`${prefix}.`, stored);
    if (!names.every((name) => fixture.has(name))) continue;
    const gradient = await device.read(gradients[ours] as Floats);
    const expected = read(fixture, names, transposed, gradient.length);
    report.compare(names.join(', '), gradient, expected, fixture.tolerance('grad'));
  }
}

function compareNamed(
  report: Report,
  label: string,
  named: Named,
  stored: Readonly<Record<string, unknown>>,
  tolerance: Tolerance,
): void {
  // A list may be as many numbers, by name[0], name[1], …
  const items = Object.entries(stored).flatMap(([key, value]): [string, unknown][] => {
    if (named[key] !== undefined) return [[key, value]];
    if (Array.isArray(value)) return value.map((item, i) => [`${key}[${i}]`, item]);
    // A group is its entries, by name.entry.
    const isGroup = typeof value === 'object' && value !== null;
    return isGroup ? Object.entries(value).map(([entry, item]) => [`${key}.${entry}`, item]) : [[key, value]];
  });
  for (const [key, value] of items) {
    const ours = named[key] ?? 'not known to the adapter of this architecture';
    if (typeof ours === 'string') report.skip(`${label}.${key}`, ours);
    else if (isNumeric(value)) report.compare(`${label}.${key}`, ours, value, tolerance);
    else report.skip(`${label}.${key}`, 'no numbers in the fixture');
  }
}

function parameter(sae: TrainableSae, name: string): Floats {
  return sae.parameters.find((candidate) => candidate.name === name)!.tensor as Floats;
}

const isNumeric = (value: unknown): value is number | number[] =>
  (Array.isArray(value) ? value : [value]).every((element) => typeof element === 'number');

const prefixed = (prefix: string, stored: string | readonly string[]): string[] =>
  [stored].flat().map((name) => `${prefix}${name}`);

/** The tensors one after the other; `size` elements in all. */
function read(fixture: SaeFixture, names: readonly string[], transposed: boolean, size: number): ArrayLike<number> {
  const [first, ...others] = names;
  const part = (name: string, expected?: number): Float32Array | Int32Array =>
    transposed ? fixture.transposed(name, expected) : fixture.numbers(name, expected);
  return others.length === 0 ? part(first, size) : names.flatMap((name) => [...part(name)]);
}
