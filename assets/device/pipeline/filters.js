// Where sunglasses, hat and moustache go on a face: the mean head fitted to its points.
// As facial_keypoints/drawing/filters.py and `filter_motion` in video/wire.py.

import {constants} from "./constants.js";
import {leastSquares, singularValues, transpose} from "./linear.js";
import {areFinite} from "./points.js";

/** Names of the filters, in the order in which they are laid over one another. */
export const filterNames = () => Object.keys(constants.filters.known);

/**
 * The affine map from pixels of the filter's picture to the photo's: two rows of three numbers;
 * null where the points admit none.
 */
export const filterMatrix = (points, name) => {
  const spec = constants.filters.known[name];
  const camera = fitHead(points, spec.anchors);
  if (!camera) return null;
  const [left, top, right, bottom] = spec.area;
  const [width, height] = spec.picture;
  const at = [(left + right) / 2, (top + bottom) / 2, spec.depth, 1];
  const middle = camera.map((row) => row.reduce((sum, value, i) => sum + value * at[i], 0));
  let plane = camera.map((row) => row.slice(0, 2));
  if (spec.axis !== null) {
    plane = upright(camera);
    const length = Math.max(Math.hypot(plane[0][0], plane[1][0]), 1e-9);
    const across = [plane[0][0] / length, plane[1][0] / length];
    const deep = across[0] * camera[0][2] + across[1] * camera[1][2];
    across.forEach((value, axis) => { middle[axis] += value * deep * (spec.axis - spec.depth); });
  }
  const shrink = [(right - left) / width, (bottom - top) / height];
  return plane.map(([a, b], axis) => {
    const [across, down] = [a * shrink[0], b * shrink[1]];
    return [across, down, middle[axis] - (across * (width - 1) + down * (height - 1)) / 2];
  });
};

/** Six numbers of `filterMatrix` row by row, then their change in a millisecond; or null. */
export const filterMotion = (points, velocity, name) => {
  const step = constants.tracking.motion_step;
  const now = filterMatrix(points, name);
  if (!now) return null;
  const later = points.map((point, i) => point.map((value, axis) => value + velocity[i][axis] * step));
  const then = filterMatrix(later, name)?.flat();
  const change = now.flat().map((value, i) => (then ? (then[i] - value) / step : 0));
  return [...now.flat(), ...change];
};

// Two rows of four: the parallel projection of the head's points nearest to the face's.
const fitHead = (points, anchors) => {
  if (!areFinite(points)) return null;
  const {steadying, least_extent} = constants.filters;
  const {parts, head_points} = constants.markup;
  const weights = head_points.map(() => steadying);
  for (const index of parts.jaw) weights[index] = 0;
  for (const index of anchors) weights[index] = 1;
  const rows = head_points.map((point, i) => [...point, 1].map((value) => value * weights[i]));
  const camera = [0, 1].map((axis) =>
    leastSquares(rows, points.map((point, i) => point[axis] * weights[i])));
  if (camera.includes(null)) return null;
  const extent = singularValues(transpose(camera).slice(0, 3));
  return extent[1] > least_extent * extent[0] ? camera : null;
};

// Centimetres to pixels for what keeps its shape as the head turns and nods.
const upright = (camera) => {
  const [one, other] = singularValues(transpose(camera).slice(0, 3));
  const scale = (one + other) / 2;
  const length = Math.max(Math.hypot(camera[0][1], camera[1][1]), 1e-9);
  const down = [camera[0][1] / length, camera[1][1] / length];
  return [[scale * down[1], scale * down[0]], [-scale * down[0], scale * down[1]]];
};
