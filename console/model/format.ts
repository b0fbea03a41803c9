const UNKNOWN = 'unknown';

/** `1,234`; `unknown` for what nobody could say. */
export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : Math.round(value).toLocaleString('en-US');
}

/** `1 batch`, `2 batches`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** How long something has waited: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return UNKNOWN;
  if (seconds === 0) return '0 s';
  if (seconds < 1) return `${(Math.floor(seconds * 10) / 10).toFixed(1)} s`;
  const whole = Math.floor(seconds);
  const pair = (value: number, unit: string, rest: number, small: string) =>
    rest === 0 ? `${value} ${unit}` : `${value} ${unit} ${rest} ${small}`;
  if (whole < 60) return `${whole} s`;
  if (whole < 3_600) return pair(Math.floor(whole / 60), 'min', whole % 60, 's');
  if (whole < 86_400) return pair(Math.floor(whole / 3_600), 'h', Math.floor((whole % 3_600) / 60), 'min');
  return pair(Math.floor(whole / 86_400), 'd', Math.floor((whole % 86_400) / 3_600), 'h');
}

/** `120 B`, `4.2 KiB`. */
export function bytes(value: number | null): string {
  if (value === null) return UNKNOWN;
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let size = value;
  let unit = 0;
  while (size >= 1_024 && unit < units.length - 1) {
    size /= 1_024;
    unit += 1;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}

/** A rate in entries a second: `0.4`, `12`, `1,234`. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return UNKNOWN;
  return value > 0 && value < 10 ? value.toFixed(1) : count(value);
}

/** The time of day where the reader is, `03:12:44`; with the date where that is not today's. */
export function clock(at: string | number | Date, now = new Date()): string {
  const time = new Date(at);
  const two = (part: number) => String(part).padStart(2, '0');
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  const today = `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
  const hour = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return day === today ? hour : `${day} ${hour}`;
}

/** When the next attempt is made, seen from `now` (ms since 1970): `in 12 s`, or `now` where one is under way or due. */
export function until(at: string | null, now: number): string {
  const seconds = at === null ? 0 : (Date.parse(at) - now) / 1_000;
  return seconds <= 0 ? 'now' : `in ${duration(Math.ceil(seconds))}`;
}
