/** Every command, in the order of `--help`. Each file is light: it imports the work only when it runs. */
import type { Command } from './command.ts';
import { lmInspect } from './lm-inspect.ts';

export const commands: readonly Command[] = [lmInspect];
