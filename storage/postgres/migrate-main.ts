import { runMigrate } from './migrate-command.ts';

process.exitCode = await runMigrate({
  env: process.env,
  print: (line) => console.log(line),
  printError: (line) => console.error(line),
});
