import { query } from './postgres.ts';
import { run } from './programs.ts';

/** "7.2.1" and the like. */
export interface ServerVersions {
  readonly redis: string;
  readonly postgres: string;
  readonly temporal: string;
}

/** What the servers of a run are, for its report: two by their programs, PostgreSQL by its own word. */
export async function serverVersions(servers: {
  readonly redisProgram: string;
  readonly postgresUrl: string;
  readonly temporalProgram: string;
}): Promise<ServerVersions> {
  const versionIn = async (program: string, pattern: RegExp) =>
    pattern.exec(await run(program, ['--version']))?.[1] ?? 'unknown';
  const [row] = await query(servers.postgresUrl, 'SHOW server_version');
  return {
    redis: await versionIn(servers.redisProgram, /v=(\S+)/),
    postgres: String(row?.server_version).replace(/ .*/, ''),
    temporal: await versionIn(servers.temporalProgram, /Server (\d[^,)\s]*)/),
  };
}
