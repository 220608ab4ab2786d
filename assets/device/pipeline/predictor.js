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

  /** One reading of each crop; `mirror` as of the class. */
  read(picture, crops, mirror) {
    return this.readViews(picture, crops, mirror ? [false, true] : [false]);
  }

  /** One reading of each crop's mirror image alone. */
  readMirrored(picture, crops) {
    return this.readViews(picture, crops, [true]);
  }

  // The mean of what each view of the crops shows: false as it is, true its mirror image.
  async readViews(picture, crops, views) {
    if (!crops.length) return [];
    const {input_size: size, most_crops} = constants.keypoints;
    if (crops.length > most_crops) {
      const first = await this.readViews(picture, crops.slice(0, most_crops), views);
      return [...first, ...await this.readViews(picture, crops.slice(most_crops), views)];
    }
    const pictures = crops.map((crop) => cut(picture, crop, size));
    const seen = views.flatMap((isMirrored) =>
      (isMirrored ? pictures.map((one) => mirrored(one, size)) : pictures));
    const readings = await this.networks.readCrops(seen);
    return crops.map((crop, index) => meanReading(views.map((isMirrored, view) => {
      const {points, logScale, score} = readings[view * crops.length + index];
      const back = isMirrored ? mirroredBack(points) : points;
      const own = isMirrored ? constants.markup.flip.map((from) => logScale[from]) : logScale;
      return {
        points: toPhoto(back, crop),
        scale: own.map((value) => Math.exp(value) * crop.side),
        score,
      };
    })));
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

// Points of a mirrored crop as those of the crop; in crop coordinates.
const mirroredBack = (points) =>
  constants.markup.flip.map((from) => [-points[from][0], points[from][1]]);

/**
 * Of readings of the same face: the mean; of the scales their geometric mean.
 * @param {Keypoints[]} readings @returns {Keypoints}
 */
export const meanReading = (readings) => {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / readings.length;
  const [first] = readings;
  return {
    points: first.points.map((_, i) =>
      [0, 1].map((axis) => mean(readings.map(({points}) => points[i][axis])))),
    scale: first.scale.map((_, i) => Math.exp(mean(readings.map(({scale}) => Math.log(scale[i]))))),
    score: mean(readings.map(({score}) => score)),
  };
};
