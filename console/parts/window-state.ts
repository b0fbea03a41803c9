import type { Level } from '../model/verdict.ts';

/** By colour and by shape: tabs are small, and not everybody tells the colours apart. */
const ICONS: Readonly<Record<Level, { readonly colour: string; readonly shape: string }>> = {
  good: { colour: '#1a7f4b', shape: '<path d="M9 17l5 5 10-12"/>' },
  busy: { colour: '#2563c9', shape: '<path d="M16 8v16M10 18l6 6 6-6"/>' },
  warn: { colour: '#b06000', shape: '<path d="M16 8v10M16 22v2"/>' },
  bad: { colour: '#c02626', shape: '<path d="M10 10l12 12M22 10L10 22"/>' },
  unknown: { colour: '#5f6673', shape: '<path d="M11 12c0-6 10-6 10 0 0 4-5 3-5 7M16 22v2"/>' },
};

function iconOf(level: Level): string {
  const { colour, shape } = ICONS[level];
  const round = level === 'bad' ? '<path d="M16 0l16 16-16 16L0 16z"/>' : '<circle cx="16" cy="16" r="16"/>';
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><g fill="${colour}">${round}</g><g fill="none" stroke="#fff" stroke-width="4">${shape}</g></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** Shows in the title and the icon of the window how things are, for whoever has it among other tabs. */
export function showState(level: Level, title: string): void {
  document.title = `${title} · Holdfast`;
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  const icon = iconOf(level);
  if (link !== null && link.href !== icon) link.href = icon;
}
