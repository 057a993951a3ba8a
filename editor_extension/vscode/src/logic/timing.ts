// What the extension costs in the extension host: activation, and per key.

const KEPT = 1000;

/** Adds up the time of all work that one key causes: sending the change, asking, encoding, decoding, showing. */
export class KeystrokeTiming {
  private readonly costs: number[] = [];
  private current = 0;
  private open = false;
  private readonly now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** A key changed a document: what follows belongs to it. */
  key(): void {
    if (this.open) {
      this.costs.push(this.current);
      if (this.costs.length > KEPT) {
        this.costs.shift();
      }
    }
    this.current = 0;
    this.open = true;
  }

  /** Runs `work` and counts the time until it returns; what it awaits is not counted. */
  measure<T>(work: () => T): T {
    const start = this.now();
    try {
      return work();
    } finally {
      this.current += this.now() - start;
    }
  }

  summary(): { keys: number; p50: number; p95: number } {
    const all = this.open ? [...this.costs, this.current] : this.costs;
    return { keys: all.length, p50: percentile(all, 50), p95: percentile(all, 95) };
  }
}

/** The smallest value that at least `share` per cent of the values do not exceed; 0 of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  const value = sorted[Math.max(0, Math.ceil((share / 100) * sorted.length) - 1)] ?? 0;
  return Math.round(value * 1000) / 1000;
}
