/** What the global setup tells every test process. */
export interface Provided {
  /** The folder of this test run; every process makes its own folders in it. Goes away at the end. */
  readonly folder: string;
  readonly redisUrl: string;
  /** The superuser's address of the shared PostgreSQL. */
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  /** Path of the `temporal` program. */
  readonly temporalCli: string;
  /** Path of the Redis or Valkey server program. */
  readonly redisProgram: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    services: Provided;
  }
}
