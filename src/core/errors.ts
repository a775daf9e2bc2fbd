/**
 * Typed errors. Each says what happened, where, and what to do next; the exit code is part of the type.
 * Anything else that reaches the top of the program is a bug (exit code 1).
 */

/** Process exit codes of every command. */
export const EXIT = { done: 0, bug: 1, usage: 2, diverged: 3, interrupted: 130 } as const;

export interface ErrorDetails {
  /** File, option or tensor that the message is about. */
  where?: string;
  /** What the reader can do next. */
  hint?: string;
  cause?: unknown;
}

/** Base class: expected failures that a user can act on. */
export class SaeforestError extends Error {
  readonly exitCode: number = EXIT.usage;
  readonly where: string | undefined;
  readonly hint: string | undefined;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.where = details.where;
    this.hint = details.hint;
  }

  /** The message as printed at the terminal: one to three lines, no stack trace. */
  render(): string {
    const lines = [this.message];
    if (this.where !== undefined) lines.push(`  in: ${this.where}`);
    if (this.hint !== undefined) lines.push(`  try: ${this.hint}`);
    return lines.join('\n');
  }
}

/** A command or option that cannot be carried out as written. */
export class UsageError extends SaeforestError {}

/** A configuration with an unknown key, a wrong type or values that contradict each other. */
export class ConfigError extends SaeforestError {}

/** A file that is missing, damaged or not what it claims to be. */
export class InputError extends SaeforestError {}

/** Writing failed (disk full, no permission); what was there before is untouched. */
export class OutputError extends SaeforestError {}

/** Training left the finite numbers; the last good checkpoint is kept. */
export class DivergedError extends SaeforestError {
  override readonly exitCode = EXIT.diverged;
}

/** Stopped on request after saving. */
export class InterruptedError extends SaeforestError {
  override readonly exitCode = EXIT.interrupted;
}

/** True for Node's errors of the file system, which carry a code such as ENOENT. */
export function hasErrorCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
