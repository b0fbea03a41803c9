import { z } from 'zod';
import { counterInteger } from './entry.ts';

/** Describes what `incrementBy` checks, for speed, on the text itself. */
export const incrementRequest = z
  .strictObject({ by: counterInteger.default(1).describe('0 leaves the value, as a new version.') })
  .meta({ id: 'IncrementRequest', description: 'By how much; 1 where the body is empty or does not say.' });
