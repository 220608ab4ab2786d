// Frames to the server, answers back: the newest frame only, a few on their way at most.

import {Grabber} from "./camera.js";
import {Rate} from "./rate.js";

const LONGEST_SIDE = 480; // pixels of what is sent; a face needs 160 of them
const MAX_IN_FLIGHT = 3;
const SLACK = 0.25; // of a frame, by which an answer must be early for the next frame to be sent
const ANSWER_LIMIT = 8000; // ms; what takes longer counts as lost
const OPEN_LIMIT = 60000; // ms; the same before the first answer: the model may still be loading
const RETRY_PAUSES = [1000, 2000, 4000, 8000]; // ms; then the last of them again and again

const LINK_TROUBLE = {
  lost: {
    title: "Connection lost",
    text: "The camera's picture goes on; the points come back when the connection does.",
  },
  full: {title: "All places are taken"},
  failed: {title: "Something failed on the server"},
};

const within = (promise, limit) =>
  Promise.race([promise, new Promise((resolve) => setTimeout(resolve, limit))]);

// server: Gradio's server functions; they answer undefined where the connection fails.
// onAnswer(answer, time): faces of the frame taken at `time`.
// onTrouble(trouble or null): {title, text} to show; null when things are well again.
export class ServerLink {
  constructor(server, onAnswer, onTrouble) {
    Object.assign(this, {server, onAnswer, onTrouble});
    this.key = null;
    this.running = false;
    this.rate = new Rate();
  }

  start(video) {
    this.grabber = new Grabber(video, LONGEST_SIDE);
    this.running = true;
    this.failures = 0;
    this.inFlight = 0;
    this.allowed = 1;
    this.interval = 33; // ms between frames of the camera, smoothed
    this.lastOffer = 0;
    this.newest = -1;
    this.rate = new Rate();
    this.roundTrip = this.serverTime = this.wait = this.dropped = 0;
    this.open();
  }

  stop() {
    this.running = false;
    clearTimeout(this.retry);
    this.leave();
  }

  // What the readout says; and the same as numbers.
  get said() {
    if (this.key === null) return "Connecting …";
    return `${this.rate.now().toFixed(0)} updates/s · ${this.roundTrip.toFixed(0)} ms round trip · `
      + `${this.serverTime.toFixed(0)} ms on the server`;
  }

  get figures() {
    return {
      rate: this.rate.now().toFixed(1), roundTrip: this.roundTrip.toFixed(1),
      server: this.serverTime.toFixed(1), dropped: this.dropped,
    };
  }

  // Gives the place on the server back, so that nobody waits for it to be noticed.
  leave() {
    if (this.key) this.server.close(this.key);
    this.key = null;
  }

  async open() {
    clearTimeout(this.retry);
    const attempt = (this.attempt = {});
    const asked = this.server.open({});
    const answer = await within(asked, OPEN_LIMIT);
    if (!this.running || attempt !== this.attempt) { // stopped or asked again meanwhile
      asked.then((late) => late?.session && this.server.close(late.session));
    } else if (answer?.session) {
      this.key = answer.session;
      this.failures = this.inFlight = 0;
      this.newest = -1;
      this.onTrouble(null);
    } else {
      this.fail(answer?.error);
    }
  }

  // Says what is wrong and tries again after a while.
  fail(error) {
    this.leave();
    const kind = error ? (error.code === "full" ? "full" : "failed") : "lost";
    const trouble = LINK_TROUBLE[kind];
    const pause = RETRY_PAUSES[Math.min(this.failures++, RETRY_PAUSES.length - 1)];
    const again = {"Try again": () => this.open()};
    this.onTrouble({title: trouble.title, text: error?.message ?? trouble.text, ways: again});
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.open(), kind === "full" ? 10 * pause : pause);
  }

  // The frame on show, once for each; it is sent unless too many are on their way.
  offer(time, {smoothing, filters}) {
    const now = performance.now();
    this.interval += 0.1 * (Math.min(now - this.lastOffer, 200) - this.interval);
    this.lastOffer = now;
    if (this.key !== null && this.inFlight < this.allowed) {
      this.send(this.grabber.grab(), time, {smoothing, filters});
    }
  }

  async send(image, time, settings) {
    const key = this.key;
    const sent = performance.now();
    this.inFlight++;
    const message = {session: key, image, time, ...settings};
    const answer = await within(this.server.track(message), ANSWER_LIMIT);
    if (key !== this.key) return; // of a stream that has ended meanwhile
    this.inFlight--;
    if (!answer) this.fail();
    else if (answer.error) this.refused(answer.error);
    else this.take(answer, time, performance.now() - sent);
  }

  refused(error) {
    if (error.code === "expired") {
      this.key = null;
      this.open();
    } else if (++this.failures >= 5) { // one bad frame is no trouble; the next one may be good
      this.fail(error);
    }
  }

  take(answer, time, roundTrip) {
    this.failures = 0;
    this.dropped = answer.dropped;
    if (answer.faces === null) return;
    this.pace(answer, roundTrip);
    if (time <= this.newest) return;
    this.newest = time;
    this.rate.count();
    this.onAnswer(answer, time);
  }

  // On a long way several frames travel at once: as many as keep the server at work, which gets
  // the next when it is done with one, and no sooner than the camera has one. More would wait.
  pace(answer, roundTrip) {
    const follow = (old, value) => old + 0.1 * (value - old);
    this.roundTrip = follow(this.roundTrip, roundTrip);
    this.serverTime = follow(this.serverTime, answer.server);
    this.wait = follow(this.wait, answer.wait);
    const wanted = Math.ceil(
      (this.roundTrip - this.wait) / Math.max(this.serverTime, this.interval) + SLACK);
    const congested = this.wait > this.serverTime + 10; // others want it as well
    this.allowed = congested ? 1 : Math.min(Math.max(wanted, 1), MAX_IN_FLIGHT);
  }
}
