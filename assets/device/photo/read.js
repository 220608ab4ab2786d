// Reading a photo in the browser: turned upright by its EXIF tag, in sRGB, over white.

const MOST_BYTES = 100e6; // of a file
const MOST_PIXELS = 16e6; // that are looked at; no more fits into a canvas on every phone

/** A photo that cannot be used; the message says what came, and what is expected. */
export class PhotoTrouble extends Error {}

/**
 * @typedef {object} Photo
 * @property {string} name of the file @property {number} width @property {number} height pixels,
 *   upright
 * @property {HTMLCanvasElement} canvas the photo, upright; smaller where it has more than
 *   `MOST_PIXELS`
 */

/**
 * @param {Blob} file
 * @param {string} name for display
 * @returns {Promise<Photo>}
 * @throws {PhotoTrouble} the browser cannot decode it
 */
export const readPhoto = async (file, name) => {
  if (file.size > MOST_BYTES) {
    const megabytes = Math.round(file.size / 1e6);
    throw new PhotoTrouble(`This file has ${megabytes} MB; a photo may have ${MOST_BYTES / 1e6} MB.`);
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, {imageOrientation: "from-image"});
  } catch {
    throw new PhotoTrouble("This browser cannot read the file as a photo. It may be damaged, or of "
      + "a kind that browsers do not know; JPEG, PNG, WebP and AVIF are known.");
  }
  const {width, height} = bitmap;
  const shrink = Math.min(1, Math.sqrt(MOST_PIXELS / (width * height)));
  const canvas = Object.assign(document.createElement("canvas"), {
    width: Math.max(1, Math.round(shrink * width)), height: Math.max(1, Math.round(shrink * height)),
  });
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // below what is transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return {name, width, height, canvas};
};

/**
 * Faces in pixels of the photo, from those of its canvas. Pixel centres are at whole numbers, so
 * the corner is at -0.5.
 * @param {object[]} faces @param {Photo} photo
 */
export const enlarged = (faces, {width, height, canvas}) => {
  const [across, down] = [width / canvas.width, height / canvas.height];
  if (across === 1 && down === 1) return faces;
  const round = (value) => Math.round(100 * value) / 100;
  const move = ([x, y]) => [round((x + 0.5) * across - 0.5), round((y + 0.5) * down - 0.5)];
  return faces.map((face) => ({
    ...face,
    box: [...move(face.box), round(face.box[2] * across), round(face.box[3] * down)],
    points: face.points.map(move),
  }));
};
