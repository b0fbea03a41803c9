export { writeBehind } from './write-behind.ts';
