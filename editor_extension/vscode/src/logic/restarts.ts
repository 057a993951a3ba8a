// How often a server that ends by itself is started again.

export interface RestartLimits {
  /** Restarts within the window before it is given up. */
  readonly most: number;
  readonly windowMs: number;
}

export type Verdict = { readonly again: true; readonly afterMs: number } | { readonly again: false };

/** The first restart comes at once, later ones after a growing wait, and more than `most` in `windowMs` are given up. */
export class RestartPolicy {
  private times: number[] = [];
  private readonly limits: RestartLimits;
  private readonly now: () => number;

  constructor(limits: RestartLimits = { most: 4, windowMs: 180_000 }, now: () => number = Date.now) {
    this.limits = limits;
    this.now = now;
  }

  onCrash(): Verdict {
    const time = this.now();
    this.times = this.times.filter((earlier) => time - earlier < this.limits.windowMs);
    if (this.times.length >= this.limits.most) {
      this.times = [];
      return { again: false };
    }
    const afterMs = this.times.length === 0 ? 0 : 500 * 2 ** (this.times.length - 1);
    this.times.push(time);
    return { again: true, afterMs };
  }

  /** The user started it: what was before does not count. */
  forget(): void {
    this.times = [];
  }
}
