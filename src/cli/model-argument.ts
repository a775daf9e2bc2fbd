/** Language models on the command line: a local path, or a model of the Hub that is fetched first. */
import { formatBytes } from '../core/files.ts';
import { resolveModel, type ResolvedModel } from '../lm/hub.ts';
import type { HubHooks, HubProgress } from '../lm/hub/transfer.ts';
import { untilInterrupted } from './interrupt.ts';
import { duration, type Terminal } from './terminal.ts';

/** @throws UsageError, InputError, OutputError, InterruptedError */
export async function resolveArgument(model: string, terminal: Terminal): Promise<ResolvedModel> {
  return untilInterrupted(terminal, (signal) => resolveModel(model, { ...hubHooks(terminal), signal }));
}

/** Shows a download. */
export function hubHooks(terminal: Pick<Terminal, 'note' | 'progress'>): HubHooks {
  return {
    onNote: (line) => terminal.note(line),
    onProgress: (progress) => terminal.progress(progressLine(progress), progress.fileBytes === progress.fileSize),
  };
}

/** `onnx/model.onnx  48.0 MB of 250.0 MB, 12 s left · in all 53.1 MB of 300.0 MB, 15 s left, 17.2 MB/s` */
function progressLine({ file, fileBytes, fileSize, bytes, size, received, seconds }: HubProgress): string {
  const speed = received / seconds;
  const part = (done: number, of: number): string =>
    `${formatBytes(done)} of ${formatBytes(of)}${done < of ? `, ${duration((of - done) / speed)} left` : ''}`;
  const speedText = received > 0 ? `, ${formatBytes(speed)}/s` : '';
  return `${file}  ${part(fileBytes, fileSize)} · in all ${part(bytes, size)}${speedText}`;
}
