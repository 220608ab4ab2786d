// Pictures and their resampling, bit for bit as OpenCV resizes 8-bit pictures (cv2.resize).
// A canvas's own drawImage resamples in ways that differ from browser to browser.

/**
 * Four bytes a pixel, red first, row by row; alpha is not looked at. ImageData is one.
 * @typedef {{width: number, height: number, data: Uint8ClampedArray}} Picture
 */

/** To whole numbers, halves to the even one, as OpenCV and numpy round. */
export const rounded = (value) => {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
};

/** @returns {Picture} all bytes 0 */
export const blank = (width, height) =>
  ({width, height, data: new Uint8ClampedArray(4 * width * height)});

/** A picture's pixels turned to the left by a quarter (as np.rot90) so many times. */
export const turned = (picture, quarters) => {
  let result = picture;
  for (let i = 0; i < quarters; i++) result = turnedLeft(result);
  return result;
};

const turnedLeft = (picture) => {
  const {width, height} = picture;
  const from = words(picture);
  const result = blank(height, width);
  const to = words(result);
  for (let y = 0; y < width; y++) {
    for (let x = 0; x < height; x++) to[y * height + x] = from[x * width + width - 1 - y];
  }
  return result;
};

/** The picture's pixels as one number each. */
const words = ({data, width, height}) => new Uint32Array(data.buffer, data.byteOffset, width * height);

/** Part of a picture: a copy. */
export const region = (picture, left, top, width, height) => {
  const result = blank(width, height);
  for (let y = 0; y < height; y++) {
    const start = 4 * ((top + y) * picture.width + left);
    result.data.set(picture.data.subarray(start, start + 4 * width), 4 * y * width);
  }
  return result;
};

/** Shrunk to the size by area, or enlarged to it linearly. */
export const resized = (picture, width, height, byArea) => {
  if (width === picture.width && height === picture.height) return picture;
  if (!byArea) return enlarged(picture, width, height);
  const [across, down] = [picture.width / width, picture.height / height];
  return Number.isInteger(across) && Number.isInteger(down)
    ? binned(picture, width, height, across, down) : shrunk(picture, width, height);
};

// Whole pixels in each new one.
const binned = (picture, width, height, across, down) => {
  const {data, width: stride} = picture;
  const result = blank(width, height);
  const count = across * down;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let [red, green, blue] = [0, 0, 0];
      for (let j = 0; j < down; j++) {
        let at = 4 * ((y * down + j) * stride + x * across);
        for (let i = 0; i < across; i++, at += 4) {
          red += data[at];
          green += data[at + 1];
          blue += data[at + 2];
        }
      }
      const to = 4 * (y * width + x);
      result.data[to] = divided(red, count);
      result.data[to + 1] = divided(green, count);
      result.data[to + 2] = divided(blue, count);
    }
  }
  return result;
};

// OpenCV's way for 2 × 2 pixels rounds halves up, its others to even, as a clamped array does.
const divided = (sum, count) => (count === 4 ? (sum + 2) >> 2 : sum / count);

// Shares of old pixels in each new one along one side: starts, and weights that add to 1.
const shares = (from, to) => {
  const step = from / to;
  return Array.from({length: to}, (_, index) => {
    const [low, high] = [index * step, (index + 1) * step];
    const first = Math.floor(low + 1e-9);
    const last = Math.min(Math.ceil(high - 1e-9), from);
    const weights = [];
    for (let i = first; i < last; i++) {
      weights.push((Math.min(high, i + 1) - Math.max(low, i)) / step);
    }
    return {first, weights};
  });
};

const shrunk = (picture, width, height) => {
  const across = shares(picture.width, width);
  const down = shares(picture.height, height);
  const result = blank(width, height);
  const row = new Float64Array(3 * picture.width); // a new row, not yet shrunk across
  for (let y = 0; y < height; y++) {
    row.fill(0);
    down[y].weights.forEach((weight, j) => {
      let at = 4 * (down[y].first + j) * picture.width;
      for (let i = 0; i < row.length; i += 3, at += 4) {
        row[i] += weight * picture.data[at];
        row[i + 1] += weight * picture.data[at + 1];
        row[i + 2] += weight * picture.data[at + 2];
      }
    });
    for (let x = 0; x < width; x++) {
      const {first, weights} = across[x];
      let [red, green, blue] = [0, 0, 0];
      for (let i = 0; i < weights.length; i++) {
        const at = 3 * (first + i);
        red += weights[i] * row[at];
        green += weights[i] * row[at + 1];
        blue += weights[i] * row[at + 2];
      }
      const to = 4 * (y * width + x);
      result.data[to] = red;
      result.data[to + 1] = green;
      result.data[to + 2] = blue;
    }
  }
  return result;
};

// Where each new pixel lies between two old ones along one side; weights of 2048.
const neighbours = (from, to) =>
  Array.from({length: to}, (_, index) => {
    const place = ((index + 0.5) * from) / to - 0.5;
    const low = Math.floor(place);
    const weight = Math.round((place - low) * 2048);
    const inPicture = (value) => Math.min(Math.max(value, 0), from - 1);
    return {low: inPicture(low), high: inPicture(low + 1), weight};
  });

// In whole numbers, as OpenCV does: 11 bits of weight a side.
const enlarged = (picture, width, height) => {
  const {data, width: stride} = picture;
  const across = neighbours(picture.width, width);
  const down = neighbours(picture.height, height);
  const result = blank(width, height);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const [upper, lower] = [4 * stride * down[y].low, 4 * stride * down[y].high];
    const below = down[y].weight;
    for (let x = 0; x < width; x++, to += 4) {
      const {low, high, weight} = across[x];
      for (let channel = 0; channel < 3; channel++) {
        const [left, right] = [4 * low + channel, 4 * high + channel];
        const top = data[upper + left] * (2048 - weight) + data[upper + right] * weight;
        const bottom = data[lower + left] * (2048 - weight) + data[lower + right] * weight;
        result.data[to + channel] =
          ((((top >> 4) * (2048 - below)) >> 16) + (((bottom >> 4) * below) >> 16) + 2) >> 2;
      }
    }
  }
  return result;
};
