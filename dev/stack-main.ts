import { readEnvironment } from '../config/environment.ts';
import { writeEnvFile } from './env-file.ts';
import { inForeground } from './session.ts';
import { startStack } from './stack.ts';

/** `npm run stack`: the backing services alone, in the foreground, until Ctrl-C. */
await inForeground(async (session) => {
  const addresses = { ...(await startStack(session, readEnvironment().PORT)) };
  writeEnvFile(session, addresses);
  const lines = Object.entries(addresses).map(([key, value]) => `  ${key}=${value}`);
  session.progress(['', 'Ready (Ctrl-C stops them). Also in .holdfast/env:', ...lines].join('\n'));
});
