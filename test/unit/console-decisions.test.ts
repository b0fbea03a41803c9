import { expect, test } from 'vitest';
import { correctionInWords, discardInWords } from '../../console/model/decisions.ts';

test('a correction is called persisted only where it is', () => {
  expect(correctionInWords({ state: 'persisted', resolved: true })).toBe('The corrected value is persisted.');
  const queued = correctionInWords({ state: 'queued', resolved: true });
  expect(queued).toMatch(/^It is queued, not persisted yet; .*given up.* Press again/);
  expect(correctionInWords({ state: 'cached', resolved: false })).toMatch(/^It is cached\. Press again/);
});

test('what a discard could not tell is said, and that it should be repeated', () => {
  const entries = (['discarded', 'discarded', 'already-persisted'] as const).map((outcome) => ({
    collection: 'carts',
    key: 'a',
    version: 1,
    outcome,
  }));
  const discarded = { batchId: '1-a.p00.1', entries };
  const told = discardInWords({ ...discarded, cacheTold: true, workflowTold: true });
  expect(told).toBe('2 discarded, 1 already-persisted');
  const cache = discardInWords({ ...discarded, cacheTold: false, workflowTold: true });
  expect(cache).toMatch(/^2 discarded, 1 already-persisted\. Redis could not be told.* Discard them again/);
  expect(cache).not.toMatch(/workflow/);
  const workflow = discardInWords({ ...discarded, cacheTold: true, workflowTold: false });
  expect(workflow).toMatch(/The workflow could not be told.* Discard them again/);
  expect(workflow).not.toMatch(/Redis/);
  const both = discardInWords({ ...discarded, cacheTold: false, workflowTold: false });
  expect(both).toMatch(/Redis could not be told.* The workflow could not be told/);
});
