// A card for each face of a photo, as web/keypoints/cards.py makes them on the server.

import {extent, faceSize} from "../../live/overlay.js";

const THUMBNAIL = 168; // pixels; shown at half of that
const ANGLES = [
  ["yaw", "Yaw", "to their left", "to their right"],
  ["pitch", "Pitch", "up", "down"],
  ["roll", "Roll", "clockwise", "anticlockwise"],
];

/**
 * @param {HTMLElement} box gets the cards
 * @param {object[]} faces in pixels of `canvas` @param {HTMLCanvasElement} canvas the photo
 * @param {Record<string, number[]>} groups facial part -> indices of its points
 */
export const showCards = (box, faces, canvas, groups) => {
  box.replaceChildren(...faces.map((face, index) => card(face, index + 1, canvas, groups)));
};

const card = (face, number, canvas, groups) => {
  const element = document.createElement("div");
  element.className = "card";
  element.setAttribute("role", "listitem");
  const sure = face.score > 0.99 ? "over 99%" : `${Math.round(100 * face.score)}%`;
  element.innerHTML = `<header><div><h2>Face ${number}</h2><p>A face, ${sure} certain</p></div></header>
    ${pose(face.pose)}<dl class="parts" aria-label="Confidence by facial part">
    ${Object.entries(groups).map((group) => part(face, ...group)).join("")}</dl>`;
  const picture = thumbnail(face, canvas);
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", `Face ${number}, cut out of the photo`);
  element.querySelector("header").prepend(picture);
  return element;
};

const thumbnail = (face, canvas) => {
  const {left, right, top, bottom} = extent(face.points);
  const side = 1.5 * faceSize(face);
  const small = Object.assign(document.createElement("canvas"), {width: THUMBNAIL, height: THUMBNAIL});
  const context = small.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, (left + right - side) / 2, (top + bottom - side) / 2, side, side,
    0, 0, THUMBNAIL, THUMBNAIL);
  return small;
};

const pose = (pose) => {
  if (!pose) return '<p class="pose none">The points admit no head pose.</p>';
  const rows = ANGLES.map(([name, label, plus, minus]) => {
    const angle = Math.round(pose[name]);
    const way = angle ? ` <span>${angle > 0 ? plus : minus}</span>` : "";
    return `<dt>${label}</dt><dd>${Math.abs(angle)}°${way}</dd>`;
  });
  return `<div class="pose">${dial(pose)}<dl>${rows.join("")}</dl></div>`;
};

// Where the nose points (60° is the rim) on a head that tilts with the roll.
const dial = ({yaw, pitch, roll}) => {
  const [x, y] = [yaw, -pitch].map((angle) => Math.min(Math.max(0.3 * angle, -18), 18).toFixed(1));
  return `<svg class="dial" viewBox="-24 -24 48 48" width="64" height="64" aria-hidden="true">
    <g transform="rotate(${roll.toFixed(1)})"><ellipse rx="18" ry="22"/><path d="M-18 0H18M0-22V22"/></g>
    <line x2="${x}" y2="${y}"/><circle cx="${x}" cy="${y}" r="3"/></svg>`;
};

const part = (face, name, indices) => {
  const value = indices.reduce((sum, index) => sum + face.confidence[index], 0) / indices.length;
  return `<dt>${name[0].toUpperCase()}${name.slice(1)}</dt><dd><span class="bar ${name}"
    style="--value:${value.toFixed(3)}"></span>${Math.round(100 * value)}%</dd>`;
};
