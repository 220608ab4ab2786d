// Faces followed from frame to frame: stable ids, steady points, and their motion.
// As facial_keypoints/video/tracker.py: a detector only looks at the start, when a face is lost, and
// now and then for new ones; in between one pass of the CNN over all faces moves the points on.

import {inside, landmarkBox, overlap} from "./boxes.js";
import {constants} from "./constants.js";
import {cropFromBox, cropFromPoints} from "./crops.js";
import {Detector} from "./detector.js";
import {mean} from "./points.js";
import {KeypointPredictor} from "./predictor.js";
import {Track, sighting} from "./track.js";

export class Tracker {
  /**
   * Follows the faces of one stream; one frame at a time.
   * @param {import("./engine.js").Networks} networks
   * @param {{maxFaces?: number, quickSide?: number}} [options] quickSide: longer side in pixels of
   *   what the detector's quick looks see
   */
  constructor(networks, options = {}) {
    const {max_faces, quick_side, pace} = constants.tracking;
    this.maxFaces = options.maxFaces ?? max_faces;
    this.pace = pace;
    this.smoothing = 0.5;
    this.follower = new KeypointPredictor(networks, 1, false);
    this.starter = new KeypointPredictor(networks, 2, false);
    this.quick = new Detector(networks, options.quickSide ?? quick_side);
    this.thorough = new Detector(networks);
    this.nextId = 1;
    this.reset();
  }

  /** Forgets every face, as for another camera; ids go on counting. */
  reset() {
    this.tracks = [];
    this.lost = [];
    this.size = null;
    this.time = this.looked = this.lookedWell = -Infinity;
  }

  /**
   * The faces of the next frame, by ascending id. A frame of another size with the same sides' ratio
   * counts as the same picture scaled; with another ratio everything starts anew.
   * @param {import("./picture.js").Picture} picture
   * @param {number} time when the frame was taken, ms on any clock
   */
  async update(picture, time) {
    if (!Number.isFinite(time)) throw new TypeError(`expected a time in milliseconds, got ${time}`);
    this.followSize([picture.width, picture.height]);
    if (time <= this.time) this.restartClock(time);
    this.time = time;
    await this.follow(picture);
    this.mergeDuplicates();
    this.endTracks();
    await this.look(picture);
    return [...this.tracks].sort((a, b) => a.id - b.id).map((track) => track.result());
  }

  followSize(size) {
    if (this.size && (this.size[0] !== size[0] || this.size[1] !== size[1])) {
      const [across, down] = size.map((length, axis) => length / this.size[axis]);
      if (Math.abs(across / down - 1) < constants.tracking.same_ratio) {
        for (const track of [...this.tracks, ...this.lost]) track.rescale(across);
      } else this.reset();
    }
    this.size = size;
  }

  restartClock(time) {
    this.looked = this.lookedWell = time;
    this.lost = [];
    for (const track of this.tracks) track.restart(time);
  }

  async follow(picture) {
    if (!this.tracks.length) return;
    const crops = this.tracks.map((track) => cropFromPoints(track.place(this.time)));
    const keypoints = await this.follower.predict(picture, crops);
    this.tracks.forEach((track, index) => {
      const seen = sighting(keypoints[index], this.time);
      if (this.isFace(seen, picture)) track.move(seen, picture, this.smoothing);
      else track.hide();
    });
  }

  // Of two tracks on one face, that stays whose own motion led there, to a whole face.
  mergeDuplicates() {
    const doubt = (track) => track.surprise + 1 - track.face.score;
    const order = [...this.tracks].sort((a, b) =>
      (doubt(a) === doubt(b) ? b.id - a.id : doubt(b) - doubt(a)));
    for (const track of order) {
      const others = this.tracks.filter((other) => other !== track);
      const {same_face} = constants.tracking;
      if (others.some((other) => inside(track.face.box, other.face.box) > same_face)) this.lose(track);
    }
  }

  endTracks() {
    for (const track of [...this.tracks]) {
      if (this.time - track.seen > this.pace.grace) this.lose(track);
    }
    this.lost = this.lost.filter((track) => this.time - track.seen <= this.pace.memory);
  }

  lose(track) {
    this.tracks.splice(this.tracks.indexOf(track), 1);
    this.lost.push(track);
  }

  // Lets a detector look, if it is time to, and starts tracks on what it finds.
  async look(picture) {
    const settled = this.tracks.length > 0 && !this.missing().length;
    const pause = settled ? this.pace.new_faces : this.pace.lost;
    if (this.inSight() >= this.maxFaces || this.time - this.looked < pause) return;
    this.looked = this.time;
    await this.start(picture, await this.quick.detect(picture));
    if (this.time - this.lookedWell >= this.pace.thorough && !this.tracks.length) {
      this.lookedWell = this.time;
      await this.start(picture, await this.thorough.detect(picture));
    }
  }

  // Starts tracks on those detections that are faces not yet followed.
  async start(picture, detections) {
    const {covered, same_face} = constants.tracking;
    const room = this.maxFaces - this.inSight();
    const boxes = detections.map((detection) => detection.box)
      .filter((box) => !this.inView(box, overlap, covered))
      .sort((a, b) => b[2] * b[3] - a[2] * a[3])
      .slice(0, 2 * room);
    if (!boxes.length) return;
    const keypoints = await this.starter.predict(picture, boxes.map((box) => cropFromBox(box)));
    const found = keypoints.map((one) => sighting(one, this.time)).sort((a, b) => b.score - a.score);
    for (const seen of found) {
      const box = landmarkBox(seen.points);
      const isNew = this.isFace(seen, picture) && !this.inView(box, inside, same_face);
      if (isNew && this.inSight() < this.maxFaces) {
        const track = this.foundAgain(box) ?? this.newTrack();
        track.move(seen, picture, this.smoothing);
      }
    }
  }

  // Whether the CNN says so, and the points have a size and their middle in the picture.
  isFace(seen, {width, height}) {
    const [x, y] = mean(seen.points);
    return seen.score >= constants.keypoints.min_score && x >= 0 && x < width && y >= 0 && y < height
      && seen.size >= constants.tracking.smallest;
  }

  inSight() { return this.tracks.filter((track) => !track.hidden).length; }

  // Faces that may turn up again: in their grace, or lost not long ago.
  missing() { return [...this.tracks.filter((track) => track.hidden), ...this.lost]; }

  // Whether the box has more than this in common with a face in sight.
  inView(box, measure, share) {
    return this.tracks.some((track) => !track.hidden && measure(box, track.face.box) > share);
  }

  // The missing face that goes on in the box: where it was last, or would be by now.
  foundAgain(box) {
    const {found_again, longest_carry} = constants.tracking;
    let [best, track] = [found_again, null];
    for (const missing of this.missing()) {
      const carried = landmarkBox(missing.carried(this.time, longest_carry));
      const share = Math.max(overlap(box, missing.face.box), overlap(box, carried));
      if (share > best) [best, track] = [share, missing];
    }
    if (track) {
      if (this.lost.includes(track)) {
        this.lost.splice(this.lost.indexOf(track), 1);
        this.tracks.push(track);
      }
      track.restart(this.time);
    }
    return track;
  }

  newTrack() {
    const track = new Track(this.nextId++);
    this.tracks.push(track);
    return track;
  }
}
