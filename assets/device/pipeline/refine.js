// Levenberg and Marquardt's search for the pose whose projected points are nearest to those seen.
// In place of cv2.solvePnPRefineLM.

import {apply, multiply, rotationAbout, solve} from "./linear.js";

const MOST_STEPS = 40;

/**
 * @param {number[][]} head points in three dimensions, centimetres
 * @param {number[][]} seen the same points, pixels from the picture's middle
 * @param {number} focal length, pixels
 * @param {{rotation: number[][], shift: number[]}} guess
 * @returns {{rotation: number[][], shift: number[], error: number} | null} error: root mean square
 *   distance in pixels; null where the result lies behind the camera
 */
export const refine = (head, seen, focal, guess) => {
  let {rotation, shift} = guess;
  let now = look(head, seen, focal, rotation, shift);
  let caution = 1e-3;
  for (let step = 0; now && step < MOST_STEPS; step++) {
    const change = solve(damped(now.normal, caution), now.slope);
    if (!change) break;
    const turned = multiply(rotationAbout(change.slice(0, 3)), rotation);
    const moved = shift.map((value, axis) => value + change[3 + axis]);
    const next = look(head, seen, focal, turned, moved);
    if (next && next.squares <= now.squares) {
      const gain = now.squares - next.squares;
      [rotation, shift, now] = [turned, moved, next];
      caution = Math.max(caution / 10, 1e-12);
      if (gain <= 1e-12 * now.squares) break;
    } else {
      caution *= 10;
      if (caution > 1e9) break;
    }
  }
  return now && {rotation, shift, error: Math.sqrt(now.squares / head.length)};
};

const damped = (normal, caution) =>
  normal.map((row, i) => row.map((value, j) => (i === j ? value * (1 + caution) + 1e-12 : value)));

// Sum of squared distances, and the normal equations of a small turn and shift that lessen it; null
// where a point lies behind the camera.
const look = (head, seen, focal, rotation, shift) => {
  const normal = Array.from({length: 6}, () => new Array(6).fill(0));
  const slope = new Array(6).fill(0);
  let squares = 0;
  for (let index = 0; index < head.length; index++) {
    const [x, y, z] = apply(rotation, head[index]);
    const depth = z + shift[2];
    if (!(depth > 0)) return null;
    const [across, down] = [(x + shift[0]) / depth, (y + shift[1]) / depth];
    const near = focal / depth;
    // Of the projection, by turns about the three axes and by shifts along them.
    const rows = [
      [-across * y * near, (z + across * x) * near, -y * near, near, 0, -across * near],
      [-(z + down * y) * near, down * x * near, x * near, 0, near, -down * near],
    ];
    const rest = [seen[index][0] - focal * across, seen[index][1] - focal * down];
    for (let axis = 0; axis < 2; axis++) {
      const row = rows[axis];
      squares += rest[axis] ** 2;
      for (let i = 0; i < 6; i++) {
        slope[i] += row[i] * rest[axis];
        for (let j = 0; j < 6; j++) normal[i][j] += row[i] * row[j];
      }
    }
  }
  return {squares, normal, slope};
};
