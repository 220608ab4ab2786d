// The One-Euro filter over all points of a face: still when the face is, quick when it moves.
// As facial_keypoints/video/smoothing.py, which names the paper.

import {constants} from "./constants.js";
import {clip, faceSize, mean, minus} from "./points.js";

const length = (vector) => Math.hypot(vector[0], vector[1]);

// Weight of the newest value in a first-order low-pass filter with this cut-off in Hz.
const weightOf = (cutoff, seconds) => 1 - 1 / (1 + 2 * Math.PI * cutoff * seconds);

const zeros = () => constants.markup.flip.map(() => [0, 0]);

export class OneEuroFilter {
  /** strength: 0..1; 0 passes the points through, 1 smooths most. May be set at any time. */
  constructor(strength = 0.5) {
    this.strength = strength;
    this.raw = this.smooth = zeros();
    this.reset();
  }

  /** Forgets the motion: the next points come back as they are, with velocity 0. */
  reset() {
    this.velocity = zeros(); // pixels a millisecond
    this.time = null;
  }

  /** The filtered points of 68. @param {number} time ms */
  filter(points, time) {
    const gap = this.time === null ? NaN : time - this.time;
    if (gap > 0 && gap <= constants.smoothing.max_gap) this.follow(points, gap);
    else {
      this.reset();
      this.smooth = points;
    }
    this.raw = points;
    this.time = time;
    return this.smooth;
  }

  follow(points, gap) {
    const {beta, velocity_cutoff, velocity_beta} = constants.smoothing;
    const seconds = gap / 1000;
    const size = faceSize(points);
    // From the unfiltered points: the filtered ones lag, which would read as speed.
    const speed = points.map((point, i) => minus(point, this.raw[i]).map((way) => way / gap));
    const pace = Math.max(length(mean(speed)), length(mean(this.velocity)));
    const change = weightOf(velocity_cutoff + (velocity_beta * 1000 * pace) / size, seconds);
    const still = this.stillCutoff();
    const blend = (old, value, weight) => old.map((part, axis) => part + weight * (value[axis] - part));
    this.velocity = this.velocity.map((old, i) => blend(old, speed[i], change));
    this.smooth = this.smooth.map((old, i) => {
      const rate = (1000 * length(this.velocity[i])) / size;
      return still === Infinity ? points[i]
        : blend(old, points[i], weightOf(still + beta * rate, seconds));
    });
  }

  /** The last filtered points carried on to another time, for `max_carry` ms, and never back. */
  at(time) {
    const {max_carry} = constants.smoothing;
    const ahead = this.time === null ? 0 : clip(time - this.time, 0, max_carry);
    return this.smooth.map((point, i) =>
      point.map((value, axis) => value + this.velocity[i][axis] * ahead));
  }

  /** The frames from now on are `factor` times as large as the last ones were. */
  rescale(factor) {
    const enlarge = (points) => points.map((point) => point.map((v) => (v + 0.5) * factor - 0.5));
    this.raw = enlarge(this.raw);
    this.smooth = enlarge(this.smooth);
    this.velocity = this.velocity.map((vector) => vector.map((value) => value * factor));
  }

  stillCutoff() {
    const {weakest, strongest} = constants.smoothing;
    const strength = clip(this.strength, 0, 1);
    return strength === 0 ? Infinity : weakest * (strongest / weakest) ** strength;
  }
}
