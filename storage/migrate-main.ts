import { runMigrate } from './postgres/migrate-command.ts';
import { runRegister } from './temporal/register-command.ts';

/** `npm run migrate`: the tables, then what Temporal has to know. */
const command = {
  env: process.env,
  print: (line: string) => console.log(line),
  printError: (line: string) => console.error(line),
};

process.exitCode = (await runMigrate(command)) || (await runRegister(command));
