// Counting what happens again and again, and the middle of what was measured lately.

const RATE_WINDOW = 2000; // ms over which a rate is counted

export class Rate {
  constructor() { this.times = []; }

  count() { this.times.push(performance.now()); }

  // A second, lately.
  now() {
    const now = performance.now();
    this.times = this.times.filter((when) => now - when < RATE_WINDOW);
    const span = this.times.length ? now - this.times[0] : 0;
    return span > 200 ? (1000 * (this.times.length - 1)) / span : 0;
  }
}

export class Lately {
  // count: how many of the last values are kept.
  constructor(count) {
    this.count = count;
    this.values = [];
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > this.count) this.values.shift();
  }

  get median() {
    const sorted = [...this.values].sort((a, b) => a - b);
    return sorted.length ? sorted[Math.floor(sorted.length / 2)] : 0;
  }
}
