// The face detector: a photo brought to the CNN's scale, its cells read, non-maximum suppression.
// As facial_keypoints/detection/cnn.py.

import {strongest} from "./boxes.js";
import {constants} from "./constants.js";
import {blank, resized, rounded, turned} from "./picture.js";

/**
 * box: x, y, width, height of the landmark box. points: the five, see markup.py. Pixels of the photo.
 * @typedef {{box: number[], score: number, points: [number, number][]}} Detection
 */

export class Detector {
  /**
   * @param {import("./engine.js").Networks} networks
   * @param {number} [side] longer side in pixels to which photos are brought
   */
  constructor(networks, side = constants.detector.side) {
    this.networks = networks;
    this.side = side;
  }

  /**
   * Surest first.
   * @param {import("./picture.js").Picture} picture
   * @param {number} [minScore] under which detections are left out
   * @param {number} [quarters] by which the photo is turned to the left and looked at, at less
   *   detail; boxes and points are those of the photo as it is
   * @returns {Promise<Detection[]>}
   */
  async detect(picture, minScore = constants.detector.min_score, quarters = 0) {
    const {grey, turned_side} = constants.detector;
    const side = quarters ? Math.min(this.side, turned_side) : this.side;
    const canvas = fit(picture, side, grey, quarters);
    const cells = await this.networks.detect(canvas);
    return kept(cells, minScore)
      .map((cell) => turnedBack(cell, canvas, quarters))
      .map((cell) => toPhoto(cell, canvas.scale));
  }
}

/**
 * A photo in the top left corner of a canvas whose sides are multiples of 32, which is then turned
 * to the left by so many quarters.
 * @returns {{data: Uint8Array, width: number, height: number, scale: [number, number]}} data: red
 *   first, three bytes a pixel; scale: canvas pixels for a pixel of the photo
 */
export const fit = (picture, side, grey, quarters = 0) => {
  const {most_enlarged} = constants.detector;
  const scale = Math.min(side / Math.max(picture.width, picture.height), most_enlarged);
  const [across, down] = [picture.width, picture.height]
    .map((length) => Math.max(1, rounded(length * scale)));
  const small = resized(picture, across, down, scale < 1);
  const upright = blank(...[across, down].map((length) => 32 * Math.ceil(length / 32)));
  upright.data.fill(grey);
  for (let y = 0; y < down; y++) {
    const row = small.data.subarray(4 * y * across, 4 * (y + 1) * across);
    upright.data.set(row, 4 * y * upright.width);
  }
  const {data, width, height} = turned(upright, quarters);
  const colours = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    colours[to] = data[from];
    colours[to + 1] = data[from + 1];
    colours[to + 2] = data[from + 2];
  }
  return {data: colours, width, height, scale: [across / picture.width, down / picture.height]};
};

// A cell of a canvas that was turned to the left by so many quarters, on the canvas before.
const turnedBack = ({score, edges, points}, canvas, quarters) => {
  const back = ([x, y]) => {
    for (let turn = quarters; turn > 0; turn--) {
      const before = (quarters - turn) % 2 ? canvas.width : canvas.height;
      [x, y] = [before - 1 - y, x];
    }
    return [x, y];
  };
  const [one, other] = [back(edges.slice(0, 2)), back(edges.slice(2))];
  const corners = [Math.min, Math.max].map((end) => [0, 1].map((axis) => end(one[axis], other[axis])));
  return {score, edges: corners.flat(), points: points.map(back)};
};

// Of all cells those that see a face of their own: left, top, right, bottom edge, score, points.
const kept = ({score, box, points}, minScore) => {
  const {most_boxes, overlap} = constants.detector;
  let seen = [];
  for (let i = 0; i < score.length; i++) if (score[i] >= minScore) seen.push(i);
  if (seen.length > most_boxes) {
    seen = seen.sort((a, b) => score[b] - score[a]).slice(0, most_boxes);
  }
  const cells = seen.map((i) => ({
    score: score[i],
    edges: [...box.subarray(4 * i, 4 * i + 4)],
    points: [0, 1, 2, 3, 4].map((k) => [points[10 * i + 2 * k], points[10 * i + 2 * k + 1]]),
  }));
  const boxes = cells.map(({edges: [left, top, right, bottom]}) =>
    [left, top, right - left, bottom - top]);
  return strongest(boxes, cells.map((cell) => cell.score), overlap).map((index) => cells[index]);
};

// Pixel centres are at whole numbers: the canvas's corner at -0.5 is the photo's.
const toPhoto = ({score, edges, points}, scale) => {
  const [left, top, right, bottom] = edges.map((value, i) => (value + 0.5) / scale[i % 2] - 0.5);
  return {
    score,
    box: [left, top, right - left, bottom - top],
    points: points.map((point) => point.map((value, axis) => (value + 0.5) / scale[axis] - 0.5)),
  };
};
