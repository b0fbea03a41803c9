import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseSync } from 'oxc-parser';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { readEnvironment } from '../../config/environment.ts';
import { startApiTracing, startWorkerTracing } from '../../telemetry/start-tracing.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const ENTRIES = ['api/main.ts', 'worker/main.ts', 'storage/migrate-main.ts'];

/** What a file loads by being loaded: not the types, and not what it asks for later by `import()`. */
function loads(file: string): string[] {
  const { program } = parseSync(file, readFileSync(join(ROOT, file), 'utf8'));
  return program.body.flatMap((node) => {
    if (node.type !== 'ImportDeclaration' && node.type !== 'ExportNamedDeclaration') return [];
    const isType =
      node.type === 'ImportDeclaration' ? node.importKind === 'type' : node.exportKind === 'type';
    return node.source && !isType ? [node.source.value] : [];
  });
}

function packagesLoadedBy(entry: string): Set<string> {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const from of loads(file)) {
      if (from.startsWith('.')) visit(join(file, '..', from));
      else packages.add(from);
    }
  };
  visit(entry);
  return packages;
}

test.each(ENTRIES)('%s loads nothing of OpenTelemetry by being loaded', (entry) => {
  const packages = [...packagesLoadedBy(entry)];
  expect(packages).toContain('zod');
  expect(packages.filter((name) => /opentelemetry/.test(name))).toEqual([]);
});

test('the parts that load it are there', () => {
  const files = readdirSync(join(ROOT, 'telemetry')).map((name) => `telemetry/${name}`);
  const loading = files.filter((file) => loads(file).some((from) => /opentelemetry/.test(from)));
  expect(loading).toContain('telemetry/open-telemetry.ts');
  expect(loading).toContain('telemetry/api-tracing.ts');
});

test('without a collector, or where OpenTelemetry is switched off, there is no tracing', async () => {
  const log = pino({ level: 'silent' });
  const collector = 'http://127.0.0.1:4318';
  for (const env of [{}, { OTEL_SDK_DISABLED: 'true', OTEL_EXPORTER_OTLP_ENDPOINT: collector }]) {
    expect(await startApiTracing(readEnvironment(env), log)).toBeUndefined();
    expect(await startWorkerTracing(readEnvironment(env), log)).toBeUndefined();
  }
});
