export { pruneTombstones } from './prune-tombstones.ts';
export { reconcileIndex } from './reconcile-index.ts';
export { repairCache } from './repair-cache.ts';
export { writeBehind } from './write-behind.ts';
