// Head pose from the 68 points: the rotation that brings a mean head onto them.
// As facial_keypoints/geometry/pose.py, which says how the camera is approximated.

import {constants} from "./constants.js";
import {leastSquares, cross, multiply, rotationAbout, singularValues} from "./linear.js";
import {areFinite, degrees, mean, minus, radians, spreadOf} from "./points.js";
import {refine} from "./refine.js";

/**
 * Degrees; signs as in Python's `Pose`.
 * @typedef {{yaw: number, pitch: number, roll: number}} Pose
 */

/**
 * Head pose of one face, or null where no head seen from its front projects to the points.
 * @param {[number, number][]} points 68, pixels
 * @param {number} width of the picture @param {number} height
 * @param {Pose | null} [before] of the same head a moment ago; a good fit next to it saves the search
 * @returns {Pose | null}
 */
export const estimatePose = (points, width, height, before = null) => {
  const {rigid_points, nearest, worst_fit, good_fit, least_spread} = constants.pose;
  const seen = rigid_points.map((index) => minus(points[index], [(width - 1) / 2, (height - 1) / 2]));
  if (!areFinite(seen)) return null;
  const middle = mean(seen);
  const size = spreadOf(seen);
  const spread = singularValues(seen.map((point) => minus(point, middle)));
  if (size < 1e-3 || spread[1] < least_spread * spread[0]) return null;
  const head = headPoints();
  const scale = size / spreadOf(head.map(([x, y]) => [x, y])); // pixels a centimetre
  const focal = Math.max(width, height, nearest * scale);
  const ray = [middle[0] / scale, middle[1] / scale, focal / scale];
  const attempt = (guess) => {
    const fit = refine(head, seen, focal, guess);
    return fit && facing(fit);
  };
  const fits = [];
  for (const guess of firstGuesses(head, seen, focal, ray, points, before)) {
    const fit = attempt(guess);
    if (fit && fit.error < good_fit * size) return poseFromRotation(fit.rotation);
    if (fit) fits.push(fit);
  }
  if (!fits.length) return null;
  const best = fits.reduce((a, b) => (b.error < a.error ? b : a));
  return best.error < worst_fit * size ? poseFromRotation(best.rotation) : null;
};

// Around the middle of all points, which is what the line of sight goes to.
const headPoints = () => {
  const {head_points} = constants.markup;
  const middle = mean(head_points);
  return constants.pose.rigid_points.map((index) =>
    head_points[index].map((value, axis) => value - middle[axis]));
};

/** From a head that looks into the camera to one in this pose. @returns {number[][]} */
export const rotationFromPose = ({yaw, pitch, roll}) => {
  const [sinX, cosX] = [Math.sin(radians(-pitch)), Math.cos(radians(-pitch))];
  const [sinY, cosY] = [Math.sin(radians(-yaw)), Math.cos(radians(-yaw))];
  const [sinZ, cosZ] = [Math.sin(radians(roll)), Math.cos(radians(roll))];
  const aboutX = [[1, 0, 0], [0, cosX, -sinX], [0, sinX, cosX]];
  const aboutY = [[cosY, 0, sinY], [0, 1, 0], [-sinY, 0, cosY]];
  const aboutZ = [[cosZ, -sinZ, 0], [sinZ, cosZ, 0], [0, 0, 1]];
  return multiply(aboutZ, multiply(aboutY, aboutX));
};

/** The inverse of `rotationFromPose`. @returns {Pose} */
export const poseFromRotation = (rotation) => ({
  yaw: degrees(Math.asin(Math.min(Math.max(rotation[2][0], -1), 1))),
  pitch: degrees(Math.atan2(-rotation[2][1], rotation[2][2])),
  roll: degrees(Math.atan2(rotation[1][0], rotation[0][0])),
});

// Where to start from, the likeliest first: the pose before, a parallel projection's head, and heads
// at `ray` facing us. (Python has a global solver in place of the second; all lead to the same
// nearest fit.)
function* firstGuesses(head, seen, focal, ray, points, before) {
  if (before) yield {rotation: rotationFromPose(before), shift: ray};
  const parallel = parallelGuess(head, seen, focal);
  if (parallel) yield parallel;
  const {left_eye_outer, right_eye_outer} = constants.markup;
  const across = minus(points[left_eye_outer], points[right_eye_outer]);
  const roll = degrees(Math.atan2(across[1], across[0]));
  for (const yaw of constants.pose.first_yaws) {
    yield {rotation: rotationFromPose({yaw, pitch: 0, roll}), shift: ray};
  }
}

const parallelGuess = (head, seen, focal) => {
  const rows = head.map((point) => [...point, 1]);
  const [a, b] = [0, 1].map((axis) => leastSquares(rows, seen.map((point) => point[axis])));
  if (!a || !b) return null;
  const unit = (vector) => vector.map((value) => value / Math.max(Math.hypot(...vector), 1e-12));
  const right = unit(a.slice(0, 3));
  const along = right[0] * b[0] + right[1] * b[1] + right[2] * b[2];
  const down = unit(right.map((value, axis) => b[axis] - along * value));
  const scale = (Math.hypot(...a.slice(0, 3)) + Math.hypot(...b.slice(0, 3))) / 2;
  const shift = [a[3] / scale, b[3] / scale, focal / scale];
  return {rotation: [right, down, cross(right, down)], shift};
};

// A fit with its rotation against the line of sight; null where it shows the back of the head.
const facing = ({rotation, shift, error}) => {
  const length = Math.hypot(...shift);
  const ray = shift.map((value) => value / length);
  const sine = Math.hypot(ray[1], ray[0]);
  const angle = sine > 0 ? Math.atan2(sine, ray[2]) / sine : 0;
  const toSight = rotationAbout([ray[1] * angle, -ray[0] * angle, 0]);
  const against = multiply(toSight, rotation);
  return against[2][2] > 0 ? {rotation: against, error} : null;
};
