/** One bar: `text` stands behind it. `own` ones are ours, in another colour. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly text: string;
  readonly own: boolean;
}

export interface BarChart {
  readonly title: string;
  readonly subtitle: string;
  readonly bars: readonly Bar[];
}

const WIDTH = 760;
const LABELS = 210;
const TEXTS = 190;
const LONGEST = WIDTH - LABELS - TEXTS;
const HEAD = 62;
const STEP = 30;
const BAR = 18;

/** The chart brings its own ground, so that it can be read wherever it stands, by day and by night. */
const STYLE = `text{font:13px system-ui,sans-serif;fill:#1f2328}.title{font-size:16px;font-weight:600}.quiet{fill:#59636e}
.ground{fill:#fff;stroke:#d1d9e0}.own{fill:#0969da}.other{fill:#8c959f}
@media (prefers-color-scheme:dark){text{fill:#f0f6fc}.quiet{fill:#9198a1}.ground{fill:#0d1117;stroke:#3d444d}
.own{fill:#4493f8}.other{fill:#6e7681}}`;

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** An SVG image of horizontal bars, the greatest value as long as there is room for. */
export function barChart({ title, subtitle, bars }: BarChart): string {
  const greatest = Math.max(0, ...bars.map(({ value }) => value));
  const height = HEAD + bars.length * STEP + 8;
  const lines = bars.map(({ label, value, text, own }, i) => {
    const length = greatest > 0 ? Math.round((Math.max(0, value) / greatest) * LONGEST * 10) / 10 : 0;
    const top = HEAD + i * STEP;
    const base = top + 14;
    return `<text x="${LABELS - 10}" y="${base}" text-anchor="end">${escaped(label)}</text>
<rect class="${own ? 'own' : 'other'}" x="${LABELS}" y="${top}" width="${length}" height="${BAR}" rx="2"/>
<text class="quiet" x="${LABELS + length + 8}" y="${base}">${escaped(text)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escaped(`${title}. ${subtitle}`)}">
<style>${STYLE}</style>
<rect class="ground" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="6"/>
<text class="title" x="16" y="26">${escaped(title)}</text>
<text class="quiet" x="16" y="46">${escaped(subtitle)}</text>
${lines.join('\n')}
</svg>
`;
}
