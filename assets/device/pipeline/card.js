// WebAssembly or the graphics card: whichever is faster here, measured at the start. Whatever goes
// wrong on the card, then or later, leaves WebAssembly.

import {constants} from "./constants.js";
import {OrtNetworks} from "./engine.js";

const TRIALS = 5; // readings of a crop by which the two are compared, after one that warms up
const PATIENCE = 20000; // ms in which the graphics card must have shown what it can
const AGREEMENT = 0.02; // of the crop; a card that says anything else computes wrongly

/**
 * These networks, or the same on the graphics card.
 * @param {OrtNetworks} plain in WebAssembly
 */
export const fastest = async (plain) => {
  if (!await hasCard()) return plain;
  let card = null;
  const attempt = (async () => {
    card = await OrtNetworks.load(plain.places, "webgpu");
    return await agree(plain, card) && await measure(card) < await measure(plain);
  })().catch((error) => {
    console.info(`the graphics card is left alone: ${error?.message ?? error}`);
    return false;
  });
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, false));
  if (await Promise.race([attempt, late])) return new WithRefuge(card, plain);
  attempt.then(() => card?.close()).catch(() => {});
  return plain;
};

// Not on iOS, where WebGPU is known to end the whole page when memory runs short.
const hasCard = async () => {
  const apple = /iPhone|iPad|iPod/.test(navigator.userAgent)
    || (/Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1);
  if (apple || !navigator.gpu) return false;
  return Boolean(await navigator.gpu.requestAdapter().catch(() => null));
};

// A picture of gradients and stripes, to compare by.
const trialPicture = () =>
  Uint8Array.from({length: 3 * constants.keypoints.input_size ** 2}, (_, i) => (i * 7 + (i >> 9)) & 255);

const agree = async (one, other) => {
  const [[a], [b]] = [await one.readCrops([trialPicture()]), await other.readCrops([trialPicture()])];
  const far = a.points.map(([x, y], i) => Math.hypot(x - b.points[i][0], y - b.points[i][1]));
  return far.sort((p, q) => p - q)[far.length >> 1] < AGREEMENT;
};

// Median milliseconds of reading one crop.
const measure = async (networks) => {
  const picture = trialPicture();
  await networks.readCrops([picture]);
  const times = [];
  for (let i = 0; i < TRIALS; i++) {
    const started = performance.now();
    await networks.readCrops([picture]);
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b)[TRIALS >> 1];
};

/** Networks on the graphics card, which go on in WebAssembly once the card fails. */
class WithRefuge {
  constructor(card, plain) {
    Object.assign(this, {now: card, plain});
  }

  get backend() { return this.now.backend; }

  get spent() { return this.now.spent; }

  precise() { return this.now === this.plain ? this.plain.precise() : this; }

  detect(canvas) { return this.attempt((networks) => networks.detect(canvas)); }

  readCrops(pictures) { return this.attempt((networks) => networks.readCrops(pictures)); }

  async attempt(work) {
    try {
      return await work(this.now);
    } catch (error) {
      if (this.now === this.plain) throw error;
      this.now = this.plain;
      return work(this.now);
    }
  }
}
