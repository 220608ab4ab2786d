// A photo's faces drawn on it: what the live overlay draws, and boxes, numbers and pose axes.
// As facial_keypoints/drawing/faces.py.

import {faceSize, INK, Overlay} from "../../live/overlay.js";
import {filterMatrix} from "../pipeline/filters.js";
import {rotationFromPose} from "../pipeline/pose.js";

const AXIS_COLOURS = ["rgb(213 94 0)", "rgb(0 158 115)", "rgb(0 114 178)"]; // x, y, z
const AXIS_LENGTH = 0.45; // of the face's size
const STILL = Array(6).fill(0); // the motion of a filter's place

/**
 * @typedef {object} Choices what is drawn
 * @property {boolean} points @property {boolean} contours @property {boolean} numbers
 * @property {boolean} boxes @property {boolean} axes
 * @property {string[]} filters names of what the faces wear
 */
export class PhotoDrawing {
  /**
   * @param {object} setup see `page_setup`
   * @param {(name: string) => object | undefined} picture a filter's picture
   */
  constructor(setup, picture) {
    this.setup = setup;
    this.overlay = new Overlay(setup, picture);
  }

  /**
   * @param {CanvasRenderingContext2D} context of a canvas with the photo on it
   * @param {object[]} faces in pixels of the photo
   * @param {number} scale pixels of the canvas a pixel of the photo
   * @param {Choices} choices
   */
  draw(context, faces, scale, choices) {
    const longest = Math.max(context.canvas.width, context.canvas.height) / scale;
    context.save();
    // Half a pixel, because a pixel's centre is half a pixel from its corner.
    context.setTransform(scale, 0, 0, scale, scale / 2, scale / 2);
    for (const face of faces) this.dress(context, face, choices.filters);
    faces.forEach((face, index) => {
      const size = faceSize(face);
      const width = Math.min(Math.max(0.0018 * longest, 0.004 * size), 0.007 * size);
      if (choices.boxes) this.box(context, face, width);
      if (choices.contours) this.overlay.contours(context, face, width);
      if (choices.points) this.overlay.points(context, face, width);
      if (choices.axes && face.pose) this.axes(context, face, size, width);
      if (choices.numbers) this.numbers(context, face, size);
      if (choices.boxes) this.label(context, face, index + 1, size);
    });
    context.restore();
  }

  dress(context, face, names) {
    for (const name of names) {
      const place = filterMatrix(face.points, name);
      if (place) this.overlay.dress(context, [...place.flat(), ...STILL], name, 0);
    }
  }

  box(context, {box: [x, y, w, h]}, width) {
    for (const [line, style] of [[2 * width, INK], [width, "white"]]) {
      context.lineWidth = line;
      context.strokeStyle = style;
      context.strokeRect(x, y, w, h);
    }
  }

  // From the tip of the nose: x to the person's left, y to the chin, z where the face looks.
  axes(context, face, size, width) {
    const rotation = rotationFromPose(face.pose);
    const [x, y] = face.points[30];
    const axes = [0, 1, 2].map((axis) => {
      const [dx, dy, dz] = rotation.map((row) => row[axis] * (axis === 2 ? -1 : 1) * AXIS_LENGTH * size);
      return {tip: [x + dx, y + dy], depth: dz, colour: AXIS_COLOURS[axis]};
    });
    context.lineCap = "round";
    for (const {tip, colour} of axes.sort((a, b) => b.depth - a.depth)) { // the nearest last
      for (const [extra, style] of [[width, INK], [0, colour]]) {
        context.lineWidth = 1.8 * width + extra;
        context.strokeStyle = context.fillStyle = style;
        context.beginPath();
        context.moveTo(x, y);
        context.lineTo(...tip);
        context.stroke();
        context.beginPath();
        context.arc(...tip, 2.2 * width + extra / 2, 0, 2 * Math.PI);
        context.fill();
      }
    }
  }

  // Each point's index beside it; one that would cover an earlier one is left out.
  numbers(context, {points}, size) {
    const height = 0.035 * size;
    this.write(context, height);
    const taken = [];
    const middle = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / 68);
    points.forEach(([x, y], index) => {
      const away = Math.hypot(x - middle[0], y - middle[1]) || 1;
      const [left, top] = [
        x + (0.9 * height * (x - middle[0])) / away, y + (0.9 * height * (y - middle[1])) / away,
      ];
      if (taken.some(([a, b]) => Math.abs(a - left) < 1.1 * height && Math.abs(b - top) < height)) return;
      taken.push([left, top]);
      context.strokeText(index, left, top);
      context.fillText(index, left, top);
    });
  }

  // The face's number and score over its box, or in it at the photo's top.
  label(context, {box: [x, y], score}, number, size) {
    const height = 0.1 * size;
    const text = `${number}  ${Math.round(100 * score)}%`;
    this.write(context, height);
    const width = context.measureText(text).width + 0.6 * height;
    const top = Math.max(y - 1.4 * height, 0);
    context.fillStyle = "rgb(16 16 16 / 0.8)";
    context.fillRect(x, top, width, 1.4 * height);
    context.fillStyle = "white";
    context.textAlign = "left";
    context.fillText(text, x + 0.3 * height, top + 0.7 * height);
  }

  write(context, height) {
    context.font = `600 ${height}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineWidth = 0.25 * height;
    context.strokeStyle = INK;
    context.fillStyle = "white";
  }
}
