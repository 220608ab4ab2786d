// From face crops to keypoints: the CNN with its mirroring and refinement.
// As facial_keypoints/landmarks/predictor.py.

import {constants} from "./constants.js";
import {cropFromPoints, toPhoto} from "./crops.js";
import {interocularDistance} from "./points.js";
import {cut} from "./warp.js";

/**
 * Of one face, pixels of the photo. scale: each point's Laplace scale. score: 0..1, is a face.
 * @typedef {{points: [number, number][], scale: number[], score: number}} Keypoints
 */

export class KeypointPredictor {
  /**
   * @param {import("./engine.js").Networks} networks
   * @param {number} passes 1 reads the points once; 2 cuts each face again by the points of the first
   * @param {boolean} mirror also read the mirrored crop, and average (in the last pass)
   */
  constructor(networks, passes, mirror) {
    Object.assign(this, {networks, passes, mirror});
  }

  /**
   * Keypoints of the face in each crop.
   * @param {import("./picture.js").Picture} picture
   * @param {import("./crops.js").Crop[]} crops
   * @param {number} [passes]
   * @returns {Promise<Keypoints[]>}
   */
  async predict(picture, crops, passes = this.passes) {
    for (let pass = 1; pass < passes; pass++) {
      const faces = await this.read(picture, crops, false);
      crops = faces.map((face) => cropFromPoints(face.points));
    }
    return this.read(picture, crops, this.mirror);
  }

  async read(picture, crops, mirror) {
    if (!crops.length) return [];
    const {input_size: size, most_crops} = constants.keypoints;
    if (crops.length > most_crops) {
      const first = await this.read(picture, crops.slice(0, most_crops), mirror);
      return [...first, ...await this.read(picture, crops.slice(most_crops), mirror)];
    }
    const pictures = crops.map((crop) => cut(picture, crop, size));
    if (mirror) pictures.push(...pictures.map((one) => mirrored(one, size)));
    const readings = await this.networks.readCrops(pictures);
    return crops.map((crop, index) => {
      const reading = readings[index];
      const whole = mirror ? averaged(reading, readings[crops.length + index]) : reading;
      return {
        points: toPhoto(whole.points, crop),
        scale: whole.logScale.map((value) => Math.exp(value) * crop.side),
        score: whole.score,
      };
    });
  }
}

/** 68 probabilities that the point is within the tolerance. @param {Keypoints} face */
export const confidence = ({points, scale}) => {
  const near = constants.keypoints.tolerance * interocularDistance(points);
  return scale.map((value) => {
    const distance = near / value;
    return 1 - (1 + distance) * Math.exp(-distance);
  });
};

const mirrored = (picture, size) => {
  const result = new Uint8Array(picture.length);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const [from, to] = [3 * (y * size + x), 3 * (y * size + size - 1 - x)];
      result[to] = picture[from];
      result[to + 1] = picture[from + 1];
      result[to + 2] = picture[from + 2];
    }
  }
  return result;
};

// A reading of a crop and one of its mirror image; points in crop coordinates.
const averaged = (one, other) => {
  const {flip} = constants.markup;
  return {
    points: one.points.map(([x, y], i) => {
      const [mirroredX, mirroredY] = other.points[flip[i]];
      return [(x - mirroredX) / 2, (y + mirroredY) / 2];
    }),
    logScale: one.logScale.map((value, i) => (value + other.logScale[flip[i]]) / 2),
    score: (one.score + other.score) / 2,
  };
};
