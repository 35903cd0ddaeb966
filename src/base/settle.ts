/** As `Promise.all`, but nothing is under way any more when it fails: for work that writes into memory used again. */
export async function allEnded<T>(work: Iterable<Promise<T>>): Promise<T[]> {
  const ended = await Promise.allSettled(work);
  return ended.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
