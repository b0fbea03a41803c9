/** How steep: the usual choice for caches, as in YCSB. */
const EXPONENT = 0.99;

/** Numbers from 0 to `of` - 1, of which the n-th comes 1 / n^0.99 times as often as the first. */
export function createZipf(of: number, random: () => number): () => number {
  const cumulated = new Float64Array(of);
  let sum = 0;
  for (let rank = 0; rank < of; rank += 1) {
    sum += (rank + 1) ** -EXPONENT;
    cumulated[rank] = sum;
  }
  return () => {
    const wanted = random() * sum;
    let low = 0;
    let high = of - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((cumulated[middle] ?? sum) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
}
