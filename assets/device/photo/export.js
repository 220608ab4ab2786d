// Faces of a photo as JSON and CSV, spelt as facial_keypoints/export.py does it.

import {csvFields} from "../../live/record.js";

/**
 * The public JSON: a list with one record.
 * @param {import("./read.js").Photo} photo @param {object[]} faces
 */
export const toJson = ({name, width, height}, faces) => {
  const known = faces.map(({box, score, points, confidence, pose}) =>
    ({box, score, points, confidence, pose}));
  return `[\n${JSON.stringify({file: name, width, height, faces: known})}\n]\n`;
};

/**
 * A header and a row a face; one row with the file's name where there is none.
 * @param {import("./read.js").Photo} photo @param {object[]} faces @param {string[]} columns
 */
export const toCsv = ({name}, faces, columns) => {
  const file = /[",\r\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
  const row = (fields) => columns.map((column) => fields[column] ?? "").join(",");
  const rows = faces.map((face, index) => {
    const {track, ...fields} = csvFields(face);
    return row({file, face: index, ...fields});
  });
  return [columns.join(","), ...(rows.length ? rows : [row({file})])].join("\n") + "\n";
};
