// Boxes [x, y, width, height]: what two have in common, and the surest of many.
// As facial_keypoints/video/tracker.py and `strongest` in detection/detectors.py.

import {bounds} from "./points.js";

/** @typedef {[number, number, number, number]} Box */

const shared = (a, b) => {
  const side = (axis) => Math.min(a[axis] + a[axis + 2], b[axis] + b[axis + 2])
    - Math.max(a[axis], b[axis]);
  return Math.max(side(0), 0) * Math.max(side(1), 0);
};

/** @param {Box} box */
export const area = (box) => box[2] * box[3];

/** Intersection over union of two boxes, 0..1. @param {Box} a @param {Box} b */
export const overlap = (a, b) => {
  const both = shared(a, b);
  return both / Math.max(area(a) + area(b) - both, 1e-6);
};

/** How much of the smaller of two boxes lies in the other, 0..1. @param {Box} a @param {Box} b */
export const inside = (a, b) => shared(a, b) / Math.max(Math.min(area(a), area(b)), 1e-6);

/**
 * Non-maximum suppression: indices of the boxes that no surer box overlaps, surest first.
 * @param {Box[]} boxes
 * @param {number[]} scores higher is surer
 * @param {number} most intersection over union from which two boxes show the same face
 * @returns {number[]}
 */
export const strongest = (boxes, scores, most) => {
  const order = boxes.map((_, index) => index).sort((a, b) => scores[b] - scores[a]);
  const kept = [];
  for (const index of order) {
    if (kept.every((other) => overlap(boxes[index], boxes[other]) <= most)) kept.push(index);
  }
  return kept;
};

/** The upright box around 68 points. @returns {Box} */
export const landmarkBox = (points) => {
  const {low, high} = bounds(points);
  return [low[0], low[1], high[0] - low[0], high[1] - low[1]];
};
