/** Entry of `npm run golden`. */
import { golden } from './golden.ts';

process.exitCode = await golden(process.argv.slice(2), {
  print: (line) => void process.stdout.write(`${line}\n`),
  complain: (line) => void process.stderr.write(`${line}\n`),
});
