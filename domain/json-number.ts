import { Fault, isDigit, unexpected } from './json-token.ts';

/** Digits of one number, those of its exponent included. */
const MAX_DIGITS = 100;
const MAX_EXPONENT = 308;

/**
 * `jsonb` writes `1e308` out, and what it prints must be as good as what was sent: to be patched, and to be sent again. So a
 * number without exponent may have more digits, if at most 99 are left without the zeros at its ends: an exponent took one at least.
 */
const MAX_DIGITS_WRITTEN_OUT = MAX_DIGITS + MAX_EXPONENT;

const PLUS = 0x2b;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const SMALL_E = 0x65;
const CAPITAL_E = 0x45;

/** The place after the number, or before its exponent where it has one. */
export function endOfDecimal(text: string, start: number): number {
  const first = text.charCodeAt(start) === MINUS ? start + 1 : start;
  let i = text.charCodeAt(first) === ZERO ? first + 1 : endOfDigits(text, first);
  let digits = i - first;
  if (text.charCodeAt(i) === DOT) {
    const end = endOfDigits(text, i + 1);
    digits += end - i - 1;
    i = end;
  }
  if (digits > MAX_DIGITS) requireZeros(text, start, i);
  return i;
}

/** More than the limit are fine where they are zeros at the ends. Linear: a regular expression would try each zero. */
function requireZeros(text: string, start: number, end: number): void {
  if (end - start <= MAX_DIGITS_WRITTEN_OUT + '-.'.length) {
    const digits = text.slice(start, end).replace(/[-.]/g, '');
    let first = 0;
    while (digits.charCodeAt(first) === ZERO) first += 1;
    let last = digits.length;
    while (last > first && digits.charCodeAt(last - 1) === ZERO) last -= 1;
    if (last - first < MAX_DIGITS && digits.length <= MAX_DIGITS_WRITTEN_OUT) return;
  }
  throw tooManyDigits(start);
}

export function isExponent(c: number): boolean {
  return c === SMALL_E || c === CAPITAL_E;
}

/** The place after the exponent that begins at `e`, of the number that begins at `start`. */
export function endOfExponent(text: string, start: number, e: number): number {
  const sign = text.charCodeAt(e + 1);
  const first = sign === PLUS || sign === MINUS ? e + 2 : e + 1;
  const end = endOfDigits(text, first);
  if (Number(text.slice(first, end)) > MAX_EXPONENT) {
    throw new Fault(start, `a number's exponent must be within ±${MAX_EXPONENT}`);
  }
  // All of its characters together are at least as many as its digits.
  if (end - start > MAX_DIGITS) {
    const decimal = text.slice(start, e).replace(/[-.]/g, '');
    if (decimal.length + end - first > MAX_DIGITS) throw tooManyDigits(start);
  }
  return end;
}

/**
 * By how many characters at most a number gets longer when it is written out, from its exponent between `e` and `end`. Each of
 * its steps is one digit; a dot and a zero before it are made up for by the exponent's own characters.
 */
export function growthOfExponent(text: string, e: number, end: number): number {
  return Math.abs(Number(text.slice(e + 1, end)));
}

/** A number as `jsonb` prints it: without exponent, digits after the dot as many as its spelling implies, no `-0`. */
export function writtenOut(number: string): string {
  const [, minus = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE](.+))?$/.exec(number) ?? [];
  const digits = whole + fraction;
  /** Where the dot is among the digits. It may be far outside of them. */
  const dot = whole.length + Number(exponent);
  const scale = Math.max(0, digits.length - dot);
  const first = digits.search(/[1-9]/);
  if (first === -1) return decimal('0', '0'.repeat(scale));
  const before = dot > first ? digits.slice(first, dot).padEnd(dot - first, '0') : '0';
  return minus + decimal(before, scale === 0 ? '' : digits.slice(Math.max(0, dot)).padStart(scale, '0'));
}

function decimal(whole: string, fraction: string): string {
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

/** Passes over one or more digits. */
function endOfDigits(text: string, start: number): number {
  let i = start;
  while (isDigit(text.charCodeAt(i))) i += 1;
  if (i === start) throw unexpected(text, i, 'a digit');
  return i;
}

function tooManyDigits(start: number): Fault {
  return new Fault(start, `a number must not have more than ${MAX_DIGITS} digits`);
}
