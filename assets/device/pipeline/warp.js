// Cuts crops out of pictures, bit for bit as OpenCV's warpAffine does for 8-bit pictures: places in
// 32nds of a pixel, black beyond the border.
// As `cut` in facial_keypoints/landmarks/crops.py.

import {cropMatrix} from "./crops.js";
import {region, resized, rounded} from "./picture.js";

const LONGEST_WARPED = 32766; // pixels of a side; OpenCV warps nothing longer

/**
 * A crop as the CNN takes it.
 * @param {import("./picture.js").Picture} picture
 * @param {import("./crops.js").Crop} crop
 * @param {number} size side of the result in pixels
 * @returns {Uint8Array} size × size × 3, red first
 */
export const cut = (picture, crop, size) => {
  const matrix = cropMatrix(crop, size);
  const factor = Math.max(1, Math.floor(crop.side / size));
  if (factor < 2 && Math.max(picture.width, picture.height) <= LONGEST_WARPED) {
    return warped(picture, matrix, size);
  }
  const small = shrunkAround(picture, matrix, size, factor);
  return small ? warped(small.picture, small.matrix, size) : new Uint8Array(3 * size * size);
};

// A crop of over twice the size is first shrunk by area, against aliasing: the part of the picture
// that it reaches, and the map from there; null where it reaches nothing.
const shrunkAround = (picture, matrix, size, factor) => {
  const inverse = inverted(matrix);
  const ends = [-0.5, size - 0.5];
  const corners = ends.flatMap((x) => ends.map((y) => map(inverse, x, y)));
  const sides = [picture.width, picture.height];
  const [low, count] = [[], []];
  for (const axis of [0, 1]) {
    const reach = corners.map((corner) => corner[axis]);
    const bounded = (value) => Math.min(Math.max(value, 0), sides[axis]);
    low[axis] = bounded(Math.floor(Math.min(...reach)) - factor);
    const high = bounded(Math.ceil(Math.max(...reach)) + factor);
    count[axis] = Math.floor((high - low[axis]) / factor);
  }
  if (Math.min(...count) < 1) return null;
  const [width, height] = count;
  const whole = region(picture, low[0], low[1], width * factor, height * factor);
  const offset = map(matrix, ...low.map((value) => value + (factor - 1) / 2));
  return {
    picture: resized(whole, width, height, true),
    matrix: matrix.map(([a, b], axis) => [a * factor, b * factor, offset[axis]]),
  };
};

const map = (matrix, x, y) => matrix.map(([a, b, c]) => a * x + b * y + c);

/** The inverse of an affine map. */
const inverted = ([[a, b, x], [c, d, y]]) => {
  const scale = 1 / (a * d - b * c);
  const linear = [[d * scale, -b * scale], [-c * scale, a * scale]];
  return linear.map(([p, q]) => [p, q, -(p * x + q * y)]);
};

const warped = ({data, width, height}, matrix, size) => {
  const inverse = inverted(matrix);
  const result = new Uint8Array(3 * size * size);
  const [across, down] = inverse.map(([a]) =>
    Int32Array.from({length: size}, (_, x) => rounded(a * x * 1024)));
  let to = 0;
  for (let y = 0; y < size; y++) {
    const [startX, startY] = inverse.map(([, b, c]) => rounded((b * y + c) * 1024) + 16);
    for (let x = 0; x < size; x++, to += 3) {
      const fineX = (startX + across[x]) >> 5;
      const fineY = (startY + down[x]) >> 5;
      const left = fineX >> 5;
      const top = fineY >> 5;
      if (left < -1 || top < -1 || left >= width || top >= height) continue;
      const right = fineX & 31; // shares of the neighbours, of 32
      const bottom = fineY & 31;
      const inLeft = left >= 0;
      const inRight = left + 1 < width;
      const inTop = top >= 0;
      const inBottom = top + 1 < height;
      const a = inLeft && inTop ? (32 - right) * (32 - bottom) : 0;
      const b = inRight && inTop ? right * (32 - bottom) : 0;
      const c = inLeft && inBottom ? (32 - right) * bottom : 0;
      const d = inRight && inBottom ? right * bottom : 0;
      const at = 4 * (top * width + left);
      const under = at + 4 * width;
      for (let channel = 0; channel < 3; channel++) {
        let sum = 512; // halves up
        if (a) sum += a * data[at + channel];
        if (b) sum += b * data[at + 4 + channel];
        if (c) sum += c * data[under + channel];
        if (d) sum += d * data[under + 4 + channel];
        result[to + channel] = sum >> 10;
      }
    }
  }
  return result;
};
