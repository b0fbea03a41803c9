import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { ROUTES } from '../../api/all-routes.ts';
import { PROBLEMS } from '../../api/problem.ts';
import { readConfigFile } from '../../config/config-file.ts';
import { document, operations, type ParameterNode, resolved, schemaProblems } from '../support/openapi.ts';
import { type ApiFixture, startApi } from './fixture.ts';

const root = join(import.meta.dirname, '..', '..');

test('the document is valid by the schema of OpenAPI 3.1', async () => {
  expect(await new Validator().validate({ ...document })).toEqual({ valid: true });
});

test('the document has none of the usual mistakes', async () => {
  const config = await createConfig({
    extends: ['recommended-strict'],
    // The package is private.
    rules: { 'info-license': 'off' },
  });
  const problems = await lintFromString({
    source: JSON.stringify(document),
    config,
    absoluteRef: 'openapi.json',
  });
  expect(problems.map(({ message, location }) => `${location[0]?.pointer}: ${message}`)).toEqual([]);
});

test('it names the version of the package', () => {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  expect(document.info.version).toBe(version);
});

test('every route is in it, and every error code', () => {
  const documented = ROUTES.filter(({ operation }) => operation !== null).map(
    ({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`,
  );
  expect(operations.map(({ method, template }) => `${method} ${template}`).sort()).toEqual(documented.sort());
  const listed = Object.keys(document.components.responses ?? {}).flatMap((name) => name.split('.or.'));
  expect([...new Set(listed)].sort()).toEqual(Object.keys(PROBLEMS).sort());
});

test('the examples of problems are problems', () => {
  for (const name of Object.keys(document.components.responses ?? {})) {
    const type = 'application/problem+json';
    const steps = ['components', 'responses', name, 'content', type];
    const { content } = resolved<{
      content: Record<string, { examples: Record<string, { value: unknown }> }>;
    }>({
      $ref: `#/components/responses/${name}`,
    });
    const examples = content[type]?.examples ?? {};
    expect(Object.keys(examples)).toEqual(name.split('.or.'));
    for (const { value } of Object.values(examples)) {
      expect(schemaProblems([...steps, 'schema'], value), name).toBe('');
    }
  }
});

test('it is answered again only when it has changed', async () => {
  const { request } = await startApi();
  const first = await request('GET', '/openapi.json');
  expect(first.status).toBe(200);
  expect(first.headers.get('content-type')).toBe('application/json');
  expect(await first.json()).toEqual(document);
  const etag = first.headers.get('etag') as string;
  const again = await request('GET', '/openapi.json', { headers: { 'if-none-match': etag } });
  expect([again.status, await again.text()]).toEqual([304, '']);
  expect(again.headers.get('etag')).toBe(etag);
  const other = await request('GET', '/openapi.json', { headers: { 'if-none-match': '"other"' } });
  expect(other.status).toBe(200);
});

/** Every request of the document that is spelled out, in its order: each body example, or none. */
const EXAMPLES = operations.flatMap(({ template, method, operation }) => {
  const parameters = operation.parameters.map((parameter) => resolved<ParameterNode>(parameter));
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(parameters.find((p) => p.in === 'path' && p.name === name)?.example)),
  );
  const bodies = Object.entries(operation.requestBody?.content ?? {}).flatMap(([type, { examples = {} }]) =>
    Object.entries(examples).map(([name, { value }]) => ({ name, type, body: JSON.stringify(value) })),
  );
  const withoutBody = { name: 'no body', type: undefined, body: undefined };
  return (bodies.length > 0 ? bodies : [withoutBody]).map((example) => ({
    ...example,
    id: operation.operationId,
    method: method.toUpperCase(),
    path,
  }));
});

function send({ request }: ApiFixture, { method, path, type, body }: (typeof EXAMPLES)[number]) {
  return request(
    method,
    path,
    body === undefined ? {} : { body, headers: { 'content-type': type as string } },
  );
}

test.each(EXAMPLES)('the example "$name" of $id works as it is', async (example) => {
  // With the collections that are shipped.
  const api = await startApi({}, readConfigFile(join(root, 'holdfast.config.json')));
  for (const path of ['carts/entries/ada', 'page-views/entries/home']) {
    await api.request('PUT', `/v1/collections/${path}`, { body: Buffer.from('1') });
  }
  Object.assign(api.holdfast.operations, {
    discardWrites: async (_: string, { entries }: { entries: { collection: string; key: string }[] }) => ({
      batchId: '1-abc.p00.7',
      entries: entries.map(({ collection, key }) => ({ collection, key, version: 2, outcome: 'discarded' })),
      cacheTold: true,
      workflowTold: true,
    }),
    listDeadLetters: async () => [],
    retryDeadLetter: async () => ({ collection: 'carts', key: 'ada', version: 4 }),
    discardDeadLetter: async () => {},
  });
  const response = await send(api, example);
  expect([200, 202]).toContain(response.status);
});

test('there are examples of every body', () => {
  const bodies = operations.filter(({ operation }) => operation.requestBody !== undefined);
  expect(bodies.length).toBeGreaterThan(0);
  for (const { operation } of bodies) {
    for (const { examples = {} } of Object.values(operation.requestBody?.content ?? {})) {
      expect(Object.keys(examples), operation.operationId).not.toEqual([]);
    }
  }
});

test('the examples of answers are such answers', () => {
  for (const { template, method, operation } of operations) {
    for (const [status, node] of Object.entries(operation.responses)) {
      for (const [type, media] of Object.entries(('content' in node && node.content) || {})) {
        if (media.example === undefined) continue;
        const steps = ['paths', template, method, 'responses', status, 'content', type, 'schema'];
        expect(schemaProblems(steps, media.example), `${operation.operationId} ${status}`).toBe('');
      }
    }
  }
});
