/** The workflow of peer (w): it takes what was written, and does nothing with it. */
export async function nothing(_written: string): Promise<void> {}
