// Faces as the server's live view and the JSON files spell them: rounded, with the filters' places.
// As `to_dict` in facial_keypoints/face.py, video/track.py and video/wire.py.

import {filterMotion, filterNames} from "./filters.js";

const rounded = (value, digits) => {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
};

/** A face of a photo. @param {import("./faces.js").Face} face */
export const faceToDict = ({box, score, points, confidence, pose}) => ({
  box: box.map((value) => rounded(value, 2)),
  score: rounded(score, 4),
  points: points.map((point) => point.map((value) => rounded(value, 2))),
  confidence: confidence.map((value) => rounded(value, 3)),
  pose: pose && {
    yaw: rounded(pose.yaw, 1), pitch: rounded(pose.pitch, 1), roll: rounded(pose.roll, 1),
  },
});

/** A face of a stream. @param {string[]} filters names of those that it wears */
export const trackedToDict = (tracked, filters = []) => {
  const worn = {};
  for (const name of filterNames().filter((known) => filters.includes(known))) {
    const place = filterMotion(tracked.points, tracked.velocity, name);
    if (place) worn[name] = place.map((value) => rounded(value, 5));
  }
  const gauges = Object.entries(tracked.expression).map(([name, value]) => [name, rounded(value, 3)]);
  return {
    id: tracked.id,
    ...faceToDict(tracked),
    velocity: tracked.velocity.map((vector) => vector.map((value) => rounded(value, 4))),
    expression: Object.fromEntries(gauges),
    filters: worn,
  };
};
