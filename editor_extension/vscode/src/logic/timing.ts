// What the extension costs in the extension host: activation, and per key.

const KEPT = 1000;
const NOTHING: Cost = { clock: 0, processor: 0 };

/** Milliseconds: as a clock shows them, and as the processor was at work; a busy machine adds to the first alone. */
export interface Cost {
  readonly clock: number;
  readonly processor: number;
}

export interface TimingSummary {
  readonly keys: number;
  readonly p50: Cost;
  readonly p95: Cost;
}

/** Adds up the time of all work that one key causes: sending the change, asking, encoding, decoding, showing. */
export class KeystrokeTiming {
  private readonly costs: Cost[] = [];
  private current: Cost = NOTHING;
  private open = false;
  private readonly now: () => Cost;

  constructor(now: () => Cost = spent) {
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
    this.current = NOTHING;
    this.open = true;
  }

  /** Runs `work` and counts the time until it returns; what it awaits is not counted. */
  measure<T>(work: () => T): T {
    const start = this.now();
    try {
      return work();
    } finally {
      const end = this.now();
      this.current = {
        clock: this.current.clock + end.clock - start.clock,
        processor: this.current.processor + end.processor - start.processor,
      };
    }
  }

  summary(): TimingSummary {
    const all = this.open ? [...this.costs, this.current] : this.costs;
    const at = (share: number): Cost => ({
      clock: percentile(
        all.map((cost) => cost.clock),
        share,
      ),
      processor: percentile(
        all.map((cost) => cost.processor),
        share,
      ),
    });
    return { keys: all.length, p50: at(50), p95: at(95) };
  }
}

/** Until now, by the clock and by the processor; the whole process's work is the least that can be told apart. */
function spent(): Cost {
  const { user, system } = process.cpuUsage();
  return { clock: performance.now(), processor: (user + system) / 1000 };
}

/** The smallest value that at least `share` per cent of the values do not exceed; 0 of nothing. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  const value = sorted[Math.max(0, Math.ceil((share / 100) * sorted.length) - 1)] ?? 0;
  return Math.round(value * 1000) / 1000;
}
