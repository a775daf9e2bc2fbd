/** The command line: parses, dispatches, and turns every failure into one clear message and an exit code. */
import { cac } from 'cac';
import { unknownName } from '../core/config.ts';
import { EXIT, SaeforestError, UsageError } from '../core/errors.ts';
import { VERSION } from '../core/version.ts';
import { parseFlags, type Command } from './command.ts';
import { commands } from './commands.ts';
import { Terminal } from './terminal.ts';

/** @param argv arguments after the program's name; @returns the process exit code */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv);
  } catch (error) {
    return report(error);
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  if (argv[0] === '--version' || argv[0] === '-v') {
    process.stdout.write(`${VERSION}\n`);
    return EXIT.done;
  }
  if (argv.length === 0 || argv[0] === '--help' || argv[0] === '-h' || argv[0] === 'help') {
    process.stdout.write(overview());
    return argv.length === 0 ? EXIT.usage : EXIT.done;
  }
  const command = findCommand(argv);
  const words = nameOf(command).split(' ');
  const rest = argv.slice(words.length);
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(helpOf(command));
    return EXIT.done;
  }
  const { options, positional } = parse(command, rest);
  const raw: Record<string, unknown> = { ...options };
  const parameters = [...command.usage.matchAll(/[<[](\.\.\.)?(\w+)[>\]]/g)];
  for (const [i, [, variadic, name]] of parameters.entries()) {
    const value = variadic ? positional.slice(i) : positional[i];
    if (value !== undefined) raw[name] = value;
  }
  if (positional.length > parameters.length && !parameters.some(([, variadic]) => variadic)) {
    throw new UsageError(`unexpected argument "${positional[parameters.length]}"`, {
      hint: `saeforest ${nameOf(command)} --help`,
    });
  }
  const json = raw.json === true;
  delete raw.json;
  return (await command.run(parseFlags(command, raw), new Terminal(json))) ?? EXIT.done;
}

/** Name without its positional arguments. */
const nameOf = (command: Command): string => command.usage.replace(/ [<[].*$/, '');

function findCommand(argv: readonly string[]): Command {
  for (const length of [2, 1]) {
    const name = argv.slice(0, length).join(' ');
    const found = commands.find((command) => nameOf(command) === name);
    if (found) return found;
  }
  throw new UsageError(unknownName('command', argv[0], commands.map(nameOf)), { hint: 'saeforest --help' });
}

function parse(command: Command, argv: readonly string[]): { options: Record<string, unknown>; positional: string[] } {
  const cli = cac('saeforest');
  for (const { flag, help } of command.flags) cli.option(flag, help);
  cli.option('--json', 'one JSON document on stdout');
  // Repeated switches are flagged by the schema; values of an option never start with "--".
  const parsed = cli.parse(['node', 'saeforest', ...argv], { run: false });
  const known = [...command.flags.map(({ flag }) => camel(/^--([\w-]+)/.exec(flag)![1])), 'json'];
  const options: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(parsed.options)) {
    if (key === '--') continue;
    if (!known.includes(camel(key))) {
      throw new UsageError(
        unknownName(
          'option',
          `--${key}`,
          known.map((name) => `--${kebab(name)}`),
        ),
        { hint: `saeforest ${nameOf(command)} --help` },
      );
    }
    options[camel(key)] = value;
  }
  return { options, positional: parsed.args.map(String) };
}

const camel = (name: string): string => name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function overview(): string {
  const width = Math.max(...commands.map(({ usage }) => usage.length));
  const lines = commands.map(({ usage, summary }) => `  ${usage.padEnd(width)}  ${summary}`);
  return (
    `saeforest ${VERSION} — hierarchical sparse autoencoders on the activations of language models\n\nCommands:\n${lines.join('\n')}\n\n` +
    'saeforest COMMAND --help shows options and an example.\nExit codes: 0 done · 2 bad usage, configuration or input · 3 training diverged · 130 interrupted, state saved · 1 a bug\n'
  );
}

function helpOf(command: Command): string {
  const flags = [...command.flags, { flag: '--json', help: 'one JSON document on stdout, everything else on stderr' }];
  const width = Math.max(...flags.map(({ flag }) => flag.length));
  return (
    `saeforest ${command.usage}\n\n${command.summary}\n\nOptions:\n${flags.map(({ flag, help }) => `  ${flag.padEnd(width)}  ${help}`).join('\n')}\n\n` +
    `Examples:\n${command.examples.map((example) => `  ${example}`).join('\n')}\n`
  );
}

function report(error: unknown): number {
  const debug = process.env.DEBUG === 'saeforest';
  if (error instanceof SaeforestError) {
    process.stderr.write(`error: ${error.render()}\n${debug ? `${error.stack}\n` : ''}`);
    return error.exitCode;
  }
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(
    `bug: ${message}\n${debug && error instanceof Error ? `${error.stack}\n` : '  this should not happen: please report it with the output of the same command under DEBUG=saeforest\n'}`,
  );
  return EXIT.bug;
}
