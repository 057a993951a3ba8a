// Polling with a deadline.

/** The first value of `look` that is true; rejects, naming `what`, after `milliseconds`. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  milliseconds = 60_000,
): Promise<NonNullable<T>> {
  const end = performance.now() + milliseconds;
  for (;;) {
    const value = await look();
    if (value) {
      return value;
    }
    if (performance.now() > end) {
      throw new Error(`It did not come within ${milliseconds / 1000} s: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
