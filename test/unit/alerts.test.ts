import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { run } from '../../dev/services/programs.ts';
import { findPromtool } from '../support/promtool.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const PROMETHEUS = join(ROOT, 'deploy', 'prometheus');

interface Rule {
  readonly alert: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}
const { groups } = parse(readFileSync(join(PROMETHEUS, 'alerts.yml'), 'utf8')) as {
  groups: { rules: Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);

const promtool = await findPromtool();
const skipped = 'missing' in promtool ? ` (skipped: ${promtool.missing})` : '';
const check = (...args: string[]) => run('path' in promtool ? promtool.path : '', args, { cwd: PROMETHEUS });

test.skipIf(skipped !== '')(
  `promtool finds nothing wrong with rules and configuration${skipped}`,
  async () => {
    expect(await check('check', 'rules', 'alerts.yml')).toContain(`SUCCESS: ${rules.length} rules found`);
    expect(await check('check', 'config', '--syntax-only', 'prometheus.yml')).toContain('SUCCESS');
  },
);

test.skipIf(skipped !== '')(`the alerts come when they should, and only then${skipped}`, async () => {
  expect(await check('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS');
});

test('the runbook has a section for each alert, and none for another', () => {
  const text = readFileSync(join(ROOT, 'docs', 'operations.md'), 'utf8');
  const sections = [...text.matchAll(/^### (Holdfast\w+)$/gm)].map(([, name = '']) => name.toLowerCase());
  const named = rules.map(({ annotations }) => annotations.runbook.replace('docs/operations.md#', ''));
  expect([...new Set(named)].sort()).toEqual(sections.sort());
  for (const { alert } of rules) expect(text, alert).toContain(alert);
  for (const { labels } of rules) expect(['warning', 'critical']).toContain(labels.severity);
});

test('the dashboard is one that Grafana can read: panels with their own place, queries with a data source', () => {
  const text = readFileSync(join(ROOT, 'deploy', 'grafana', 'dashboards', 'holdfast.json'), 'utf8');
  const { panels } = JSON.parse(text) as {
    panels: {
      id: number;
      type: string;
      gridPos: { x: number; y: number; w: number; h: number };
      targets?: { expr: string; refId: string; datasource: { uid: string } }[];
    }[];
  };
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const places = panels.map(({ gridPos }) => gridPos);
  for (const [i, a] of places.entries()) {
    expect(a.x + a.w).toBeLessThanOrEqual(24);
    for (const b of places.slice(i + 1)) {
      const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
      expect(apart, JSON.stringify([a, b])).toBe(true);
    }
  }
  for (const { type, targets = [] } of panels) {
    if (type !== 'row') expect(targets.length).toBeGreaterThan(0);
    expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
    for (const { expr, datasource } of targets) {
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana
      expect(datasource.uid).toBe('${datasource}');
      expect(expr.length).toBeGreaterThan(0);
    }
  }
});

test('what is not known is no 0 on the dashboard: a figure without samples says that it is unknown', () => {
  const text = readFileSync(join(ROOT, 'deploy', 'grafana', 'dashboards', 'holdfast.json'), 'utf8');
  expect(text).not.toContain('vector(0)');
  expect(text).toContain('"noValue": "unknown"');
});
