import { describe, expect, test } from 'vitest';
import { parseExposition } from '../../bench/profile/exposition.ts';
import { commandLines, slowLines } from '../../bench/profile/redis.ts';
import { sdkSection } from '../../bench/profile/sdk.ts';
import { line } from '../../bench/profile/statements.ts';
import { script } from '../../storage/redis/scripts.ts';

/** What one worker counted: three answers, one of them before the profile began. */
function exposition(answers: number, pollers: number): string {
  const request = '{operation="RespondWorkflowTaskCompleted",service_name="temporal-core-sdk"}';
  return [
    '# TYPE temporal_request_latency_seconds histogram',
    `temporal_request_latency_seconds_bucket{le="0.05"} ${answers}`,
    `temporal_request_latency_seconds_sum${request} ${answers * 0.02}`,
    `temporal_request_latency_seconds_count${request} ${answers}`,
    `temporal_request_total${request} ${answers}`,
    `temporal_num_pollers{poller_type="workflow_task"} ${pollers}`,
    `holdfast_batches_total 7`,
  ].join('\n');
}

const cellsOf = (text: string, start: string) =>
  text
    .split('\n')
    .filter((one) => one.startsWith(`| ${start} `))
    .map((one) => one.split('|').map((cell) => cell.trim()));

describe('a profile', () => {
  test('reads the text format of Prometheus, whatever is in a label', () => {
    expect(parseExposition('# HELP a b\na 1\nb{x="1,}\\"2",y=""} 2.5e-3\n\nc{le="+Inf"} +Inf')).toEqual([
      { name: 'a', labels: {}, value: 1 },
      { name: 'b', labels: { x: '1,}\\"2', y: '' }, value: 0.0025 },
      { name: 'c', labels: { le: '+Inf' }, value: Number.POSITIVE_INFINITY },
    ]);
  });

  test('counts what the SDK did since it began, and shows gauges as they are', () => {
    const text = sdkSection(exposition(1, 5), exposition(3, 10));
    const answer = 'RespondWorkflowTaskCompleted';
    expect(cellsOf(text, 'request_latency')).toEqual([
      ['', `request_latency ${answer}`, '2', '20.0', '0.0400', ''],
    ]);
    expect(cellsOf(text, 'request_total')).toEqual([['', `request_total ${answer}`, '2.00', '']]);
    expect(cellsOf(text, 'num_pollers')).toEqual([['', 'num_pollers workflow_task', '10.0', '']]);
    expect(text).not.toContain('holdfast');
    expect(sdkSection(exposition(3, 10), exposition(3, 10))).not.toContain(answer);
  });

  test('sorts commands by the time that they took, and knows slow scripts by their names', () => {
    const stats =
      '# Commandstats\r\ncmdstat_get:calls=10,usec=20,usec_per_call=2.00,rejected_calls=0\r\n' +
      'cmdstat_config|set:calls=1,usec=500,usec_per_call=500.00,rejected_calls=0\r\n';
    expect(commandLines(stats)).toEqual([
      ['config set', '1', '500', '0.50'],
      ['get', '10', '2.00', '0.0200'],
    ]);
    const { sha } = script('stage');
    expect(
      slowLines([
        [3, 0, 1_500, ['evalsha', sha, '1', 'key']],
        [2, 0, 9_000, ['hgetall', 'key']],
        [1, 0, 2_500, ['evalsha', sha, '1', 'key']],
      ]),
    ).toEqual([
      ['HGETALL', '1', '9.00', '9.00'],
      ['stage.lua', '2', '2.50', '4.00'],
    ]);
  });

  test('shows a statement in one line, with what each call and each row cost', () => {
    const statement = { query: "SELECT\n  'a' || 'b'", calls: '4', rows: '8', ms: 2, wal: '800' };
    expect(line(statement)).toEqual(["`SELECT 'a' \\|\\| 'b'`", '4', '2.00', '0.50', '2.00', '100']);
    expect(line({ ...statement, query: 'X'.repeat(500), rows: '0' })).toEqual([
      `\`${'X'.repeat(90)}…\``,
      ...['4', '0.00', '0.50', '2.00', '–'],
    ]);
  });
});
