// The whole way from a photo to its faces. As facial_keypoints/pipeline.py.

import {landmarkBox, strongest} from "./boxes.js";
import {constants} from "./constants.js";
import {cropFromBox, cropFromPoints} from "./crops.js";
import {Detector} from "./detector.js";
import {turned} from "./picture.js";
import {distance} from "./points.js";
import {estimatePose} from "./pose.js";
import {KeypointPredictor, confidence} from "./predictor.js";

/**
 * Pixels of the upright photo, origin top left, pixel centres at whole numbers; see Python's `Face`.
 * @typedef {object} Face
 * @property {number[]} box x, y, width, height of the upright box around the points
 * @property {number} score 0..1
 * @property {[number, number][]} points 68
 * @property {number[]} confidence 68, 0..1
 * @property {import("./pose.js").Pose | null} pose
 */

export class FacialKeypoints {
  /** @param {import("./engine.js").Networks} networks */
  constructor(networks) {
    this.detector = new Detector(networks);
    this.predictor = new KeypointPredictor(networks, 2, true);
  }

  /**
   * Faces of a photo, the surest first. One that shows none at first is looked at again: for weak
   * detections, then turned to the left, to the right and upside down.
   * @param {import("./picture.js").Picture} picture
   * @returns {Promise<Face[]>}
   */
  async find(picture) {
    const {min_score, min_score_turned} = constants.keypoints;
    const wary = Math.max(min_score, min_score_turned);
    const upright = await this.look(picture, min_score);
    if (upright.length) return upright;
    const weak = await this.look(picture, wary, constants.detector.eager_score);
    if (weak.length) return weak;
    for (const quarters of [1, 3, 2]) {
      const faces = await this.look(turned(picture, quarters), wary);
      if (faces.length) return faces.map((face) => turnedBack(face, picture, quarters));
    }
    return [];
  }

  // Faces of at least that score; where none is sure, each is read upside down too.
  async look(picture, minScore, leastDetection = constants.detector.min_score) {
    const {sure_score} = constants.keypoints;
    const found = await this.detector.detect(picture, leastDetection);
    let faces = await this.predictDetections(picture, found);
    if (!faces.some((face) => face.score >= sure_score)) {
      const over = await this.predictUpsideDown(picture, found);
      faces = faces.map((face, index) => (over[index].score >= sure_score ? over[index] : face));
    }
    return withoutDuplicates(faces.filter((face) => face.score >= minScore));
  }

  async predictUpsideDown(picture, found) {
    const crops = found.map(({box, points}) => cropFromBox(box, points))
      .map((crop) => ({...crop, angle: crop.angle + 180}));
    const keypoints = await this.predictor.predict(picture, crops, 2);
    return keypoints.map((one) => toFace(one, picture));
  }

  /** One face for each detection, whatever its score; read again where its crop was off. */
  async predictDetections(picture, found) {
    if (!found.length) return [];
    const crops = found.map(({box, points}) => cropFromBox(box, points));
    const keypoints = await this.predictor.predict(picture, crops, 1);
    const better = keypoints.map(({points}) => cropFromPoints(points));
    const off = crops.map((_, index) => index).filter((index) => isOff(crops[index], better[index]));
    const again = await this.predictor.predict(picture, off.map((index) => better[index]), 1);
    off.forEach((index, i) => { keypoints[index] = again[i]; });
    return keypoints.map((one) => toFace(one, picture));
  }
}

const toFace = (keypoints, {width, height}) => ({
  box: landmarkBox(keypoints.points),
  score: keypoints.score,
  points: keypoints.points,
  confidence: confidence(keypoints),
  pose: estimatePose(keypoints.points, width, height),
});

// A face of a picture that was turned to the left by so many quarters, in the picture as it was.
const turnedBack = (face, picture, quarters) => {
  let {points} = face;
  let [width, height] = quarters % 2 ? [picture.height, picture.width] : [picture.width, picture.height];
  for (let i = 0; i < quarters; i++) {
    points = points.map(([x, y]) => [height - 1 - y, x]);
    [width, height] = [height, width];
  }
  return {...face, points, box: landmarkBox(points), pose: estimatePose(points, width, height)};
};

const isOff = (crop, better) => {
  const {most_moved, most_resized, most_turned} = constants.keypoints;
  const turn = ((((crop.angle - better.angle + 180) % 360) + 360) % 360) - 180;
  return distance(crop.centre, better.centre) > most_moved * better.side
    || Math.abs(Math.log(crop.side / better.side)) > most_resized
    || Math.abs(turn) > most_turned;
};

// Two detections may lead to the same face: keeps the surer.
const withoutDuplicates = (faces) =>
  strongest(faces.map((face) => face.box), faces.map((face) => face.score), constants.keypoints.duplicate)
    .map((index) => faces[index]);
