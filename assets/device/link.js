// Frames to the worker in this browser, answers back; the counterpart of live/link.js, without a
// server: no picture leaves the page.

import {Lately, Rate} from "../live/rate.js";

const LONGEST_SIDE = 640; // pixels; a camera may give more than it was asked for
const MOST_IN_FLIGHT = 3; // frames: one in work, and the newest two, of which the worker drops one
const SLOW = 80; // ms a frame from which the device counts as slow
const SLOW_AFTER = 45; // frames after which that is judged, by the middle of the last ones ...
const JUDGED = 30; // ... of this many: the first are slow while the browser still compiles

/** The frame on show, no larger than `LONGEST_SIDE`: itself where the browser can, or as a bitmap. */
const grab = async (video) => {
  const {videoWidth, videoHeight} = video;
  const shrink = LONGEST_SIDE / Math.max(videoWidth, videoHeight);
  if (shrink >= 1) return typeof VideoFrame === "function" ? new VideoFrame(video) : createImageBitmap(video);
  return createImageBitmap(video, {
    resizeWidth: Math.round(videoWidth * shrink), resizeHeight: Math.round(videoHeight * shrink),
    resizeQuality: "medium",
  });
};

export class DeviceLink {
  /**
   * @param {import("./engine.js").Engine} engine
   * @param {(answer: object, time: number) => void} onAnswer faces of the frame taken at `time`
   * @param {(trouble: object | null) => void} onTrouble {title, text, ways}; null when all is well
   * @param {{leave: (() => void) | null}} settings leave: goes over to the server, where there is
   *   one; called only when the visitor asks for it
   */
  constructor(engine, onAnswer, onTrouble, {leave}) {
    Object.assign(this, {engine, onAnswer, onTrouble, leave});
    this.running = false;
    this.webgpu = false;
    this.clear();
  }

  clear() {
    this.ready = null;
    this.inFlight = 0;
    this.judged = false;
    this.count = 0;
    this.rate = new Rate();
    this.total = new Lately(JUDGED); // ms from a frame to its drawing
  }

  start(video) {
    this.video = video;
    this.running = true;
    this.clear();
    this.open();
  }

  stop() {
    this.running = false;
    this.ready = null;
    this.engine.reset();
  }

  async open() {
    const attempt = (this.attempt = {});
    this.inFlight = 0;
    this.onTrouble(null);
    try {
      const ready = await this.engine.load(this.webgpu);
      if (!this.running || attempt !== this.attempt) return;
      this.engine.reset();
      this.ready = ready;
    } catch (error) {
      if (this.running && attempt === this.attempt) this.fail(error);
    }
  }

  get said() {
    if (!this.ready) return "Loading the networks …";
    const where = this.ready.backend === "webgpu" ? "on this device's graphics card" : "on this device";
    return `${this.rate.now().toFixed(0)} updates/s · ${this.total.median.toFixed(0)} ms a frame · `
      + where;
  }

  get figures() {
    return {
      rate: this.rate.now().toFixed(1), frame: this.total.median.toFixed(1),
      backend: this.ready?.backend ?? "",
    };
  }

  /** The frame on show, once for each. While one is in work, the newest one waits for its turn. */
  async offer(time, {smoothing, filters}) {
    if (!this.ready || this.inFlight >= MOST_IN_FLIGHT) return;
    const {attempt} = this;
    this.inFlight++;
    const begun = performance.now();
    try {
      const image = await grab(this.video);
      const options = {smoothing, filters};
      const answer = await this.engine.find(image, {time, mode: "live", options});
      if (!this.running || attempt !== this.attempt || !answer.faces) return;
      this.take(answer, time, begun);
    } catch (error) {
      if (this.running && attempt === this.attempt) this.fail(error);
    } finally {
      if (attempt === this.attempt) this.inFlight--;
    }
  }

  take(answer, time, begun) {
    this.rate.count();
    this.onAnswer(answer, time);
    this.total.add(performance.now() - begun);
    this.count++;
    if (this.judged || this.count < SLOW_AFTER) return;
    this.judged = true;
    if (this.total.median > SLOW) this.tellSlow();
  }

  tellSlow() {
    const text = `A frame takes ${this.total.median.toFixed(0)} ms here. `;
    const stay = {"Stay here": () => this.onTrouble(null)};
    this.onTrouble({
      title: "This device is slow at this",
      text: text + (this.leave
        ? "The server may be faster; the camera's pictures are then sent to it."
        : "Other programs and pages that are busy make it slower."),
      ways: this.leave ? {"Use the server": this.leave, ...stay} : stay,
      goesOn: true,
    });
  }

  fail(error) {
    this.ready = null;
    this.engine.close();
    this.onTrouble({
      title: "The networks do not run on this device",
      text: `${error.message}. The camera's picture goes on.`,
      ways: {"Try again": () => this.open(), ...(this.leave && {"Use the server": this.leave})},
    });
  }
}
