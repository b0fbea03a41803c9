import { runKeys } from './keys-command.ts';

process.exitCode = runKeys({
  args: process.argv.slice(2),
  print: (line) => console.log(line),
  printError: (line) => console.error(line),
});
