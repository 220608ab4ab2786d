// One face of a stream over time: its filter, its expression, and whether it is in sight.
// As facial_keypoints/video/track.py.

import {landmarkBox} from "./boxes.js";
import {constants} from "./constants.js";
import {ExpressionMeter} from "./expression.js";
import {clip, distance, faceSize, mean} from "./points.js";
import {estimatePose} from "./pose.js";
import {confidence} from "./predictor.js";
import {OneEuroFilter} from "./smoothing.js";

/**
 * What the CNN read in one crop at one time, unfiltered; size: of the face, pixels.
 * @typedef {{time: number, points: [number, number][], confidence: number[], score: number,
 *   size: number}} Sighting
 */

/** @param {import("./predictor.js").Keypoints} keypoints @returns {Sighting} */
export const sighting = (keypoints, time) => ({
  time,
  points: keypoints.points,
  confidence: confidence(keypoints),
  score: keypoints.score,
  size: faceSize(keypoints.points),
});

/** A face that is followed. `move` it before anything else. */
export class Track {
  constructor(id) {
    this.id = id;
    this.seen = -Infinity; // ms, when it was last in sight
    this.surprise = 0; // how far from where its motion led, in face sizes; infinite out of sight
    this.filter = new OneEuroFilter();
    this.meter = new ExpressionMeter();
  }

  /** The face is here now. @param {Sighting} seen @param {number} smoothing 0..1 */
  move(seen, {width, height}, smoothing) {
    const isNew = this.seen === -Infinity;
    const off = distance(mean(this.filter.at(seen.time)), mean(seen.points));
    this.surprise = isNew ? 0 : off / seen.size;
    this.filter.strength = smoothing;
    const points = this.filter.filter(seen.points, seen.time);
    const pose = estimatePose(points, width, height, isNew ? null : this.face.pose);
    const {score, confidence: sure} = seen;
    this.face = {box: landmarkBox(points), score, points, confidence: sure, pose};
    const {sure: least, leap} = constants.tracking;
    if (isNew || (score >= least && this.surprise <= leap)) {
      this.sure = {time: seen.time, points, velocity: this.filter.velocity};
    }
    // A blink is over before a filtered eyelid has followed it.
    this.expression = this.meter.update(seen.points, seen.time, pose);
    this.seen = seen.time;
  }

  /** The face is out of sight; its last points stay. */
  hide() {
    this.face = {...this.face, score: 0};
    this.surprise = Infinity;
  }

  /** Whether the face was out of sight in the last frame. */
  get hidden() { return this.surprise === Infinity; }

  /** Where the points should be by then. */
  place(time) { return this.filter.at(time); }

  /**
   * Where the points would be by then, had they gone on for `longest` ms as they did when the face
   * was last surely in sight.
   */
  carried(time, longest) {
    const {time: seen, points, velocity} = this.sure;
    const ahead = clip(time - seen, 0, longest);
    return points.map((point, i) => point.map((value, axis) => value + velocity[i][axis] * ahead));
  }

  /** The motion so far says nothing about what comes; the face counts as seen now. */
  restart(time) {
    this.filter.reset();
    this.sure = {time, points: this.filter.at(time), velocity: this.filter.velocity};
    this.seen = time;
  }

  /** The frames from now on are `factor` times as large as the last ones were. */
  rescale(factor) {
    this.filter.rescale(factor);
    const enlarge = (all) => all.map((point) => point.map((v) => (v + 0.5) * factor - 0.5));
    const velocity = this.sure.velocity.map((vector) => vector.map((value) => value * factor));
    this.sure = {...this.sure, points: enlarge(this.sure.points), velocity};
    const points = enlarge(this.face.points);
    this.face = {...this.face, points, box: landmarkBox(points)};
  }

  /** The face as it is shown now. */
  result() {
    const velocity = this.hidden ? this.filter.velocity.map(() => [0, 0]) : this.filter.velocity;
    return {id: this.id, ...this.face, velocity, expression: this.expression};
  }
}
