import { z } from 'zod';
import { acknowledgement, collectionName, counterInteger, entryKey, version } from './entry.ts';

const members = { collection: collectionName, key: entryKey, version, state: acknowledgement };

export const receipt = z.object(members).meta({
  id: 'Receipt',
  description: 'What a write reached. `state` may be a stronger level than the one that was asked for.',
});

export const counterReceipt = z.object({ ...members, value: counterInteger }).meta({
  id: 'CounterReceipt',
  description: 'What an increment reached, and the value it left.',
});
