/** Every command, in the order of `--help`. Each file is light: it imports the work only when it runs. */
import type { Command } from './command.ts';

export const commands: readonly Command[] = [];
