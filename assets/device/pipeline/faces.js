// The whole way from a photo to its faces. As facial_keypoints/looks.py.

import {area, inside, landmarkBox, strongest} from "./boxes.js";
import {constants} from "./constants.js";
import {cropFromBox, cropFromPoints, toPhoto} from "./crops.js";
import {Detector} from "./detector.js";
import {clip, distance} from "./points.js";
import {estimatePose} from "./pose.js";
import {KeypointPredictor, confidence, meanReading} from "./predictor.js";

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
   * Faces of a photo, the surest first. Weak signs of one, as profiles and lying faces have, are
   * looked at closely; a photo that shows none at first is turned, too.
   * @param {import("./picture.js").Picture} picture
   * @returns {Promise<Face[]>}
   */
  async find(picture) {
    const {most_doubtful, least_doubtful, turn} = constants.keypoints;
    const {min_score: least, eager_score} = constants.detector;
    const seen = await this.detector.detect(picture, eager_score);
    const faces = await this.look(picture, seen.filter(({score}) => score >= least));
    const weak = seen.filter(({score}) => score < least);
    if (faces.length) {
      const more = await this.lookBeside(picture, beside(weak, faces));
      return [...faces, ...beside(more, faces)].sort((a, b) => b.score - a.score);
    }
    if (!seen.some(({score}) => score >= least_doubtful)) return faces;
    const lying = await this.detector.detect(picture, eager_score, turn);
    const best = (found) => found.filter(({score}, index) =>
      score >= (index < most_doubtful ? least_doubtful : least));
    return this.lookClosely(picture, [...best(weak), ...best(lying)]);
  }

  // Faces among detections; where none is sure, each is read upside down too.
  async look(picture, found) {
    const {sure_score, min_score_over} = constants.keypoints;
    const keypoints = await this.readDetections(picture, found);
    if (!keypoints.some(({score}) => score >= sure_score)) {
      const places = [...keypoints.keys()].filter((i) => keypoints[i].score >= min_score_over);
      const crops = places.map((i) => upsideDown(cropOf(found[i])));
      const over = await this.readDoubtful(picture, crops);
      places.forEach((i, n) => { if (over[n].score >= sure_score) keypoints[i] = over[n]; });
    }
    return chosen(picture, keypoints, found.map((one) => leastFaceScore(one)));
  }

  // Faces among weak detections that have faces beside them.
  async lookBeside(picture, found) {
    const keypoints = await this.readDoubtful(picture, found.map(cropOf));
    const {agreement_beside} = constants.keypoints;
    return chosen(picture, keypoints, found.map((one) => leastFaceScore(one, agreement_beside)));
  }

  // Faces among detections that are rarely any, either way up.
  async lookClosely(picture, found) {
    const {min_score_turned, min_score_over} = constants.keypoints;
    const crops = found.map(cropOf);
    const upright = await this.readDoubtful(picture, crops);
    const hanging = (_, index) => upright[index].score >= min_score_over;
    const over = await this.readDoubtful(picture, crops.filter(hanging).map(upsideDown));
    const least = found.map((one) => Math.max(leastFaceScore(one), min_score_turned));
    return chosen(picture, [...upright, ...over], [...least, ...least.filter(hanging)]);
  }

  /** One face for each detection, whatever its score; see `readDetections`. */
  async predictDetections(picture, found) {
    return (await this.readDetections(picture, found)).map((one) => toFace(one, picture));
  }

  // Keypoints of each detection.
  readDetections(picture, found) {
    return this.readCrops(picture, found.map(cropOf), constants.keypoints.least_score);
  }

  // Keypoints of crops that are rarely faces.
  readDoubtful(picture, crops) {
    return this.readCrops(picture, crops, constants.keypoints.min_score_first);
  }

  // The mean of a reading of each crop and of one of the mirror image of the crop that its points
  // ask for; where the first crop was far off, the better one is corrected likewise, and then read
  // with its mirror image. Below that face score the first reading is all.
  async readCrops(picture, crops, least) {
    const keypoints = await this.predictor.read(picture, crops, false);
    const better = keypoints.map(({points}) => cropFromPoints(points));
    const faces = [...crops.keys()].filter((index) => keypoints[index].score >= least);
    const off = faces.filter((index) => isOff(crops[index], better[index]));
    const near = faces.filter((index) => !off.includes(index));
    const other = await this.predictor.readMirrored(picture, near.map((index) => better[index]));
    near.forEach((index, i) => { keypoints[index] = meanReading([keypoints[index], other[i]]); });
    const again = await this.predictor.predict(picture, off.map((index) => better[index]), 2);
    off.forEach((index, i) => { keypoints[index] = again[i]; });
    return keypoints;
  }
}

const cropOf = ({box, points}) => cropFromBox(box, points);

// As it is if the face is the other way up.
const upsideDown = (crop) => {
  const turned = {...crop, angle: crop.angle + 180};
  const [centre] = toPhoto([[0, constants.keypoints.hanging]], turned);
  return {...turned, centre};
};

const toFace = (keypoints, {width, height}) => ({
  box: landmarkBox(keypoints.points),
  score: keypoints.score,
  points: keypoints.points,
  confidence: confidence(keypoints),
  pose: estimatePose(keypoints.points, width, height),
});

const isOff = (crop, better) => {
  const {most_moved, most_resized, most_turned} = constants.keypoints;
  const turn = ((((crop.angle - better.angle + 180) % 360) + 360) % 360) - 180;
  return distance(crop.centre, better.centre) > most_moved * better.side
    || Math.abs(Math.log(crop.side / better.side)) > most_resized
    || Math.abs(turn) > most_turned;
};

// The face score from which a detection is a face: where the detector agrees with it. As
// facial_keypoints/detection/agreement.py.
const leastFaceScore = ({score}, agreement = constants.keypoints.agreement) => {
  const {min_score, detector_weight, nearest} = constants.keypoints;
  const near = clip(score, nearest, 1 - nearest);
  const logit = Math.log(near / (1 - near));
  return Math.max(min_score, 1 / (1 + Math.exp(detector_weight * logit - agreement)));
};

// The first that have little in common with the faces, and about the size of the largest.
const beside = (found, faces) => {
  const {beside: most, least_beside, most_beside} = constants.keypoints;
  const least = Math.max(...faces.map(({box}) => least_beside * area(box)));
  return found.filter(({box}) =>
    area(box) >= least && faces.every((face) => inside(box, face.box) < most))
    .slice(0, most_beside);
};

// The faces of at least these scores, the surest first. Of detections that led to the same face the
// surest stays.
const chosen = (picture, keypoints, least) => {
  const seen = keypoints.filter(({score}, index) => score >= least[index]);
  const boxes = seen.map(({points}) => landmarkBox(points));
  return strongest(boxes, seen.map(({score}) => score), constants.keypoints.duplicate)
    .map((index) => toFace(seen[index], picture));
};
