import { prettyFactory } from 'pino-pretty';

const pretty = prettyFactory({
  colorize: process.stdout.isTTY === true,
  translateTime: 'SYS:HH:MM:ss',
  ignore: 'pid,hostname,name,part,component,sdkComponent,taskQueue,taskToken',
  singleLine: true,
});

/** A line of a process's log for a person to read; text that is no log line stays as it is. */
export function readableLine(line: string): string {
  return line.startsWith('{') ? pretty(line).trimEnd() : line;
}
