// What a face does, read from its 68 points: eyes, blinks, mouth, smile, brows.
// As facial_keypoints/geometry/expression.py, which says how things are measured.

import {constants} from "./constants.js";
import {clip, distance, interocularDistance, mean, minus, part, radians} from "./points.js";

const MOUTH_CORNERS = [48, 54];
const LIP_MIDDLE = [51, 57, 62, 66];
const BROWS = [17, 18, 19, 20, 21, 22, 23, 24, 25, 26];
const EYES = [36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47];

const pick = (points, indices) => indices.map((index) => points[index]);

// Turned so that the line between the eyes' centres is horizontal.
const levelled = (points) => {
  const right = mean(part(points, "right_eye"));
  const left = mean(part(points, "left_eye"));
  const length = Math.max(distance(left, right), 1e-6);
  const [cos, sin] = minus(left, right).map((value) => value / length);
  return points.map(([x, y]) => [x * cos + y * sin, y * cos - x * sin]);
};

// How far some of the levelled points lie over others, on average.
const rise = (level, upper, lower) => mean(pick(level, lower))[1] - mean(pick(level, upper))[1];

// How much deeper in the mean head some points are than others, in distances of the eye corners.
const behind = (upper, lower) => {
  const head = constants.markup.head_points;
  const depth = mean(pick(head, upper))[2] - mean(pick(head, lower))[2];
  return depth / interocularDistance(head);
};

const eyeAspectRatio = (eye) =>
  (distance(eye[1], eye[5]) + distance(eye[2], eye[4])) / Math.max(2 * distance(eye[3], eye[0]), 1e-6);

const share = (value, [low, high]) => clip((value - low) / (high - low), 0, 1);

/** Measures one face: ratios that are the same at every size and tilt. See Python's `Measures`. */
export const measure = (points, pose) => {
  const yaw = Math.min(Math.abs(pose?.yaw ?? 0), constants.expression.max_corrected_yaw);
  const turn = Math.cos(radians(yaw));
  const nod = Math.sin(radians(pose?.pitch ?? 0));
  let level = levelled(points);
  const unit = Math.max(interocularDistance(level) / turn, 1e-6);
  level = level.map(([x, y]) => [x / unit, y / unit]);
  const gaps = [[61, 67], [62, 66], [63, 65]].map(([a, b]) => distance(level[a], level[b]));
  return {
    right_eye: eyeAspectRatio(part(level, "right_eye")) * turn,
    left_eye: eyeAspectRatio(part(level, "left_eye")) * turn,
    gap: (gaps[0] + gaps[1] + gaps[2]) / 3,
    width: distance(level[54], level[48]) / turn,
    lift: rise(level, MOUTH_CORNERS, LIP_MIDDLE) + nod * behind(MOUTH_CORNERS, LIP_MIDDLE),
    brows: rise(level, BROWS, EYES) + nod * behind(BROWS, EYES),
  };
};

/** Reads the expression of one face over time; remembers what is usual for the person. */
export class ExpressionMeter {
  constructor() {
    this.time = null;
    this.usual = null;
    this.shown = [0, 0, 0, 0, 0];
    this.shutSince = null;
    this.blinks = 0;
  }

  /** The gauges now, 0..1 each. @param {number} time ms */
  update(points, time, pose) {
    const {longest_gap, width, lift, gap: lips, raise, calm} = constants.expression;
    const now = measure(points, pose);
    const gap = this.time === null ? 0 : clip(time - this.time, 0, longest_gap);
    this.learn(now, gap);
    const eyes = ["right_eye", "left_eye"].map((eye) => this.openness(now, eye));
    this.countBlinks(seenEye(eyes, pose), time);
    const smile = (share(now.width, width) + share(now.lift, lift)) / 2;
    const brows = share(now.brows - this.usual.brows, [0, raise]);
    const values = [...eyes, share(now.gap, lips), smile, brows];
    // Gauges that tremble cannot be read.
    const weight = this.time === null ? 1 : 1 - Math.exp(-gap / calm);
    this.shown = this.shown.map((old, i) => old + weight * (values[i] - old));
    this.time = time;
    return this.expression();
  }

  expression() {
    const [right_eye, left_eye, mouth, smile, brows] = this.shown;
    return {right_eye, left_eye, blinks: this.blinks, mouth, smile, brows};
  }

  // Moves the usual values: of the eyes, that when open; of the brows, that when at rest.
  learn(now, gap) {
    const {first_open, eyes_pace, brows_pace, least_usual, most_usual} = constants.expression;
    this.usual ??= {
      right_eye: Math.max(now.right_eye, first_open),
      left_eye: Math.max(now.left_eye, first_open),
      brows: now.brows,
    };
    const paces = {right_eye: eyes_pace, left_eye: eyes_pace, brows: brows_pace};
    for (const [name, [rising, falling]] of Object.entries(paces)) {
      const pace = now[name] > this.usual[name] ? rising : falling; // ms
      this.usual[name] += (1 - Math.exp(-gap / pace)) * (now[name] - this.usual[name]);
    }
    for (const eye of ["right_eye", "left_eye"]) {
      this.usual[eye] = clip(this.usual[eye], least_usual, most_usual);
    }
  }

  openness(now, eye) {
    return share(now[eye] / this.usual[eye], [constants.expression.closed, 1]);
  }

  countBlinks(openness, time) {
    const {shut, open, longest_blink} = constants.expression;
    if (this.shutSince === null) {
      if (openness < shut) this.shutSince = time;
    } else if (openness > open) {
      const length = time - this.shutSince;
      if (length > 0 && length <= longest_blink) this.blinks += 1;
      this.shutSince = null;
    }
  }
}

// Openness for the blink counter: of both eyes, or of the nearer one of a turned head.
const seenEye = ([right, left], pose) => {
  if (pose && Math.abs(pose.yaw) > constants.expression.far_eye_yaw) return pose.yaw > 0 ? right : left;
  return (right + left) / 2;
};
