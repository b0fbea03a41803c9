import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

/** One line of a chart. */
export interface Line<S> {
  readonly name: string;
  /** A custom property of the style sheet. */
  readonly colour: string;
  readonly of: (sample: S) => number | null;
}

interface Props<S> {
  readonly title: string;
  readonly lines: readonly Line<S>[];
  /** Oldest first; `at` is in s since 1970. */
  readonly samples: readonly (S & { readonly at: number })[];
  readonly format: (value: number | null | undefined) => string;
}

const HEIGHT = 130;
/** Lines of one chart differ by more than their colour; the style sheet draws the legend likewise. */
const DASHES = [[], [6, 3], [2, 2], [12, 2], [1, 4]];
/** The least that the axis of time spans, in s. */
const LEAST_S = 120;
/** Less than this on the axis would make a wall of a few writes. */
const LEAST_TOP = 1;
/** Between lines across: most charts count things, and half of one is none. */
const STEPS = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();

/** A chart of lines over time; its caption says the newest values in words. */
export function Chart<S>({ title, lines, samples, format }: Props<S>) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const last = samples.at(-1);

  useEffect(() => {
    const target = box.current;
    if (target === null) return;
    const dark = matchMedia('(prefers-color-scheme: dark)');
    const draw = () => {
      const data = plot.current?.data ?? dataOf(lines, []);
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(lines, format, target.clientWidth), data, target);
    };
    const resized = new ResizeObserver(() => {
      plot.current?.setSize({ width: target.clientWidth, height: HEIGHT });
    });
    draw();
    dark.addEventListener('change', draw);
    resized.observe(target);
    return () => {
      dark.removeEventListener('change', draw);
      resized.disconnect();
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [lines, format]);

  useEffect(() => plot.current?.setData(dataOf(lines, samples)), [lines, samples]);

  return (
    <figure>
      <figcaption>
        <strong>{title}</strong>
        <ul class="legend">
          {lines.map((line, i) => (
            <li key={line.name} class={`${line.colour.slice(2)} dash-${i + 1}`}>
              {line.name} <b>{last === undefined ? '…' : format(line.of(last))}</b>
            </li>
          ))}
        </ul>
      </figcaption>
      <div ref={box} class="plot" aria-hidden="true" />
    </figure>
  );
}

function dataOf<S>(lines: readonly Line<S>[], samples: Props<S>['samples']): uPlot.AlignedData {
  return [samples.map(({ at }) => at), ...lines.map((line) => samples.map((sample) => line.of(sample)))];
}

function optionsOf<S>(lines: readonly Line<S>[], format: Props<S>['format'], width: number): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour('--quiet'),
    grid: { stroke: colour('--edge'), width: 1 },
    ticks: { show: false },
  };
  const font = '11px system-ui, sans-serif';
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: {
        time: true,
        range: (_, oldest, newest) => [Math.min(oldest ?? 0, (newest ?? 0) - LEAST_S), newest ?? 0],
      },
      y: { range: (_, __, most) => [0, Math.max(LEAST_TOP, (most ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, font, size: 24, space: 60, values: (_, times) => times.map(timeOfDay) },
      {
        ...axis,
        font,
        size: 58,
        space: 28,
        incrs: STEPS,
        values: (_, values) => values.map((value) => format(value)),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, colour: property }, i) => ({
        label: name,
        stroke: colour(property),
        width: 2,
        dash: DASHES[i] ?? [],
        points: { show: false },
      })),
    ],
  };
}

function timeOfDay(seconds: number): string {
  return new Date(seconds * 1_000).toTimeString().slice(0, 5);
}
