/** One sample of a scrape. */
export interface Sample {
  readonly name: string;
  /** As it was written: `{partition="0"}`, or empty. */
  readonly labels: string;
  readonly value: number;
}

/** The samples of the text format of Prometheus. @throws Error where a line is neither a comment nor a sample. */
export function parseSamples(text: string): Sample[] {
  return text.split('\n').flatMap((line) => {
    if (line === '' || line.startsWith('#')) return [];
    const match = /^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)$/.exec(line);
    if (match === null) throw new Error(`no sample: ${line}`);
    const [, name = '', labels = '', value = ''] = match;
    return [{ name, labels, value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value) }];
  });
}

/** Every name that a scrape has, with or without a sample, in the forms that queries use. */
export function namesIn(text: string): Set<string> {
  const names = new Set(parseSamples(text).map(({ name }) => name));
  for (const [, name = '', type] of text.matchAll(/^# TYPE (\S+) (\w+)$/gm)) {
    if (type !== 'histogram') names.add(name);
    else for (const suffix of ['_bucket', '_sum', '_count']) names.add(name + suffix);
  }
  return names;
}

/** The sum of the samples of a name whose labels contain all of these; `undefined` where there is none. */
export function sumOf(text: string, name: string, ...labels: string[]): number | undefined {
  const found = parseSamples(text).filter(
    (sample) => sample.name === name && labels.every((label) => sample.labels.includes(label)),
  );
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}

/** The metrics that an expression of PromQL names. */
export function namesInQuery(query: string): string[] {
  return [...query.matchAll(/\b(?:holdfast|nodejs|process|temporal)_\w+/g)].map(([name]) => name);
}
