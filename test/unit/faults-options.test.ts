import { expect, test } from 'vitest';
import { UsageProblem } from '../../dev/arguments.ts';
import { readOptions } from '../faults/options.ts';
import { SCENARIOS } from '../faults/scenarios/all.ts';

test('are three seeds of every scenario where nothing is said', () => {
  expect(readOptions([])).toEqual({
    ...{ scenarios: SCENARIOS, seeds: [1, 2, 3], scale: 1 },
    ...{ resume: false, histories: false, only: undefined },
  });
});

test('name scenarios, seeds and what is printed', () => {
  const options = readOptions([
    '--scenario',
    'poison',
    '--scenario',
    'pruning',
    '--from',
    '7',
    '--seeds',
    '2',
  ]);
  expect(options?.scenarios.map(({ name }) => name).sort()).toEqual(['poison', 'pruning']);
  expect(options?.seeds).toEqual([7, 8]);
  expect(readOptions(['--report'])?.only).toBe('report');
  expect(readOptions(['--help'])).toBeUndefined();
});

test.each([['--nope'], ['--scenario', 'nix'], ['--seeds', '0'], ['--seeds', '1.5'], ['--scale', '0']])(
  'that make no sense are refused: %s %s',
  (...args) => {
    expect(() => readOptions(args)).toThrow(UsageProblem);
  },
);
