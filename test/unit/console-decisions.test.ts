import { expect, test } from 'vitest';
import { correctionInWords } from '../../console/model/decisions.ts';

test('a correction is called persisted only where it is', () => {
  expect(correctionInWords({ state: 'persisted', resolved: true })).toBe('The corrected value is persisted.');
  const queued = correctionInWords({ state: 'queued', resolved: true });
  expect(queued).toMatch(/^It is queued, not persisted yet; .*given up.* Press again/);
  expect(correctionInWords({ state: 'cached', resolved: false })).toMatch(/^It is cached\. Press again/);
});
