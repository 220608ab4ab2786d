// Square face crops: where a face is cut out for the CNN, and how points travel back.
// As facial_keypoints/landmarks/crops.py.

import {constants} from "./constants.js";
import {bounds, degrees, mean, part, radians} from "./points.js";

/**
 * A square region of a photo, in its pixels. A head tilted clockwise (as the viewer sees it) by
 * `angle` degrees stands upright in the crop.
 * @typedef {{centre: [number, number], side: number, angle: number}} Crop
 */

/** Turns points clockwise as the viewer sees it (y points down). */
const turn = (points, angle) => {
  const [cos, sin] = [Math.cos(radians(angle)), Math.sin(radians(angle))];
  return points.map(([x, y]) => [cos * x - sin * y, sin * x + cos * y]);
};

const slope = (from, to) => degrees(Math.atan2(to[1] - from[1], to[0] - from[0]));

/** The crop that holds the face of 68 points. @returns {Crop} */
export const cropFromPoints = (points) => {
  const angle = slope(mean(part(points, "right_eye")), mean(part(points, "left_eye")));
  const {low, high} = bounds(turn(points, -angle));
  const [centre] = turn([[(low[0] + high[0]) / 2, (low[1] + high[1]) / 2]], angle);
  const side = Math.max(high[0] - low[0], high[1] - low[1], 1) * constants.keypoints.crop_scale;
  return {centre, side, angle};
};

/**
 * The crop around a landmark box.
 * @param {number[]} box x, y, width, height, as tight around the 68 points as the detector can tell
 * @param {[number, number][]} [five] the detector's five points, by whose eyes the crop is turned
 * @returns {Crop}
 */
export const cropFromBox = ([x, y, width, height], five) => ({
  centre: [x + (width - 1) / 2, y + (height - 1) / 2],
  side: Math.max(width, height, 1) * constants.keypoints.crop_scale,
  angle: five ? slope(five[0], five[1]) : 0,
});

/** Rows of the affine map from pixels of the photo to pixels of a crop of `size` pixels. */
export const cropMatrix = ({centre, side, angle}, size) => {
  const scale = size / side;
  const [cos, sin] = [scale * Math.cos(radians(-angle)), scale * Math.sin(radians(-angle))];
  const linear = [[cos, -sin], [sin, cos]];
  return linear.map(([a, b]) => [a, b, (size - 1) / 2 - (a * centre[0] + b * centre[1])]);
};

/** Points in crop coordinates (the crop spans -0.5 to 0.5) in pixels of the photo. */
export const toPhoto = (points, {centre, side, angle}) =>
  turn(points, angle).map(([x, y]) => [x * side + centre[0], y * side + centre[1]]);
