import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../../dev/until.ts';
import { type OtlpReceiver, type SeenSpan, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { call, entryUrl, type System, startSystem } from '../support/system.ts';

let receiver: OtlpReceiver;
let system: System;
beforeAll(async () => {
  receiver = await startOtlpReceiver();
  system = await startSystem({
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: '100' },
  });
});
afterAll(async () => {
  await system?.stop();
  receiver?.stop();
});

const CALLER = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' };
const traceparent = `00-${CALLER.trace}-${CALLER.span}-01`;
const ofCaller = () => receiver.spans().filter(({ traceId }) => traceId === CALLER.trace);
const named = (spans: readonly SeenSpan[], name: RegExp) => spans.filter((span) => name.test(span.name));
const attribute = (span: SeenSpan | undefined, key: string) =>
  span?.attributes.find((one) => one.key === key)?.value.stringValue;

test('a queued write is one trace, from its caller to the statements that persist it', async () => {
  const put = await call('PUT', entryUrl(system.url, 'carts', 'secret-key'), {
    headers: { traceparent, baggage: 'who=secret-person', 'x-request-id': 'request-7' },
    body: { note: 'secret-value' },
  });
  expect(put.status).toBe(202);
  await until(() => named(ofCaller(), /^RunWorkflow/).length > 0, { what: 'the workflow is traced' });

  const spans = ofCaller();
  const one = (name: RegExp, service: string) => {
    const found = named(spans, name).find((span) => span.service === service);
    expect(found, `${name} of ${service} among ${spans.map((span) => span.name).join(', ')}`).toBeDefined();
    return found as SeenSpan;
  };
  const request = one(/^PUT \/v1\/collections\/\{collection\}\/entries\/\{key\}$/, 'holdfast-api');
  const write = one(/^redis stage$/, 'holdfast-api');
  const offer = one(/^offer batch$/, 'holdfast-api');
  const start = one(/^StartWorkflow:writeBehind$/, 'holdfast-api');
  const run = one(/^RunWorkflow:writeBehind$/, 'holdfast-worker');
  const activity = one(/^RunActivity:carryBatch$/, 'holdfast-worker');
  const statement = one(/^postgres pass-fence$/, 'holdfast-worker');
  one(/^redis release$/, 'holdfast-worker');

  expect(request.parentSpanId).toBe(CALLER.span);
  expect(attribute(request, 'holdfast.request_id')).toBe('request-7');
  expect(attribute(request, 'holdfast.batch_id')).toBe(attribute(offer, 'holdfast.batch_id'));
  expect(attribute(start, 'temporalWorkflowId')).toMatch(/^write-behind:p00:s\d\d$/);
  // Each is below the one before, however many are between them.
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const isBelow = (span: SeenSpan, above: SeenSpan): boolean => {
    const parent = byId.get(span.parentSpanId ?? '');
    return parent !== undefined && (parent === above || isBelow(parent, above));
  };
  expect(isBelow(write, request)).toBe(true);
  expect(isBelow(offer, request)).toBe(true);
  expect(isBelow(start, offer)).toBe(true);
  expect(isBelow(run, start)).toBe(true);
  expect(isBelow(activity, run)).toBe(true);
  expect(isBelow(statement, activity)).toBe(true);
});

test('writes of one batch are linked, each in the trace of its own caller', async () => {
  const callers = Array.from({ length: 8 }, (_, i) => String(i + 1).repeat(32));
  await Promise.all(
    callers.map((trace, i) =>
      call('PUT', entryUrl(system.url, 'carts', `secret-${i}`), {
        headers: { traceparent: `00-${trace}-${CALLER.span}-01` },
        body: i,
      }),
    ),
  );
  const carried = () => {
    const offers = named(receiver.spans(), /^offer batch$/);
    return new Set(
      offers.flatMap(({ traceId, links = [] }) => [traceId, ...links.map((link) => link.traceId)]),
    );
  };
  await until(() => callers.every((trace) => carried().has(trace)), { what: 'each write is in an offer' });
});

test('background work is not traced, and no trace holds a key, a value or baggage', async () => {
  const roots = receiver.spans().filter(({ parentSpanId }) => !parentSpanId);
  expect(roots.map(({ name }) => name).filter((name) => name !== 'offer batch')).toEqual([]);
  expect(receiver.text()).toContain('holdfast.batch_id');
  expect(receiver.text()).not.toMatch(/secret/);
  const logged = system.apis[0]?.output() ?? '';
  expect(logged).not.toMatch(/secret-(key|value|person)/);
});
