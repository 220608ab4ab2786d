// Small sums over points. As facial_keypoints/landmarks/markup.py and video/smoothing.py.

import {constants} from "./constants.js";

/**
 * A point or a vector: x and y.
 * @typedef {[number, number]} Point
 */

export const radians = (degrees) => (degrees * Math.PI) / 180;
export const degrees = (radians) => (radians * 180) / Math.PI;
export const clip = (value, low, high) => Math.min(Math.max(value, low), high);

/** @param {Point} a @param {Point} b @returns {Point} */
export const minus = (a, b) => [a[0] - b[0], a[1] - b[1]];

export const distance = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

/** The mean of points or vectors of any length. @param {number[][]} points @returns {number[]} */
export const mean = (points) =>
  points[0].map((_, axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);

/** Those of the points that a part of the face has. */
export const part = (points, name) => constants.markup.parts[name].map((index) => points[index]);

/** @param {Point[]} points 68 of them */
export const interocularDistance = (points) =>
  distance(points[constants.markup.left_eye_outer], points[constants.markup.right_eye_outer]);

/** Twice the root mean square distance of the points from their middle, pixels. */
export const faceSize = (points) => Math.max(2 * spreadOf(points), 1e-3);

/** The root mean square distance of points from their middle. */
export const spreadOf = (points) => {
  const middle = mean(points);
  const squares = points.map((point) => distance(point, middle) ** 2);
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / points.length);
};

/** Corners [x, y] of the upright box around points. */
export const bounds = (points) => {
  const low = [Infinity, Infinity];
  const high = [-Infinity, -Infinity];
  for (const [x, y] of points) {
    low[0] = Math.min(low[0], x);
    low[1] = Math.min(low[1], y);
    high[0] = Math.max(high[0], x);
    high[1] = Math.max(high[1], y);
  }
  return {low, high};
};

/** Whether every number is finite. */
export const areFinite = (points) => points.every((point) => point.every(Number.isFinite));
