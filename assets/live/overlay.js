// Drawing faces over the video. Everything is drawn in pixels of the frame that the server saw,
// pixel centres at whole numbers, as Python's drawing module does it.

const STALE = 1500; // ms without an answer after which the drawing fades ...
const GONE = 2500; // ... and is gone
export const INK = "rgb(16 16 16)";
const LOW_CONFIDENCE = 0.5;

// The faces of an answer as they are at another time: every point goes on as it last moved.
const carriedOn = (faces, ahead) =>
  faces.map((face) => ({
    ...face,
    points: face.points.map(([x, y], i) => [
      x + ahead * face.velocity[i][0], y + ahead * face.velocity[i][1],
    ]),
  }));

// The six numbers of a filter's place, `ahead` ms later.
const placeAt = (filter, ahead) => [0, 1, 2, 3, 4, 5].map((i) => filter[i] + ahead * filter[i + 6]);

export const extent = (points) => {
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  return {
    left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys),
  };
};

export const faceSize = (face) => {
  const {left, right, top, bottom} = extent(face.points);
  return Math.max(right - left, bottom - top, 1);
};

// setup: what the server says once: parts, colours, mesh, carry.
// picture(name): the filter's {image, width, height}, or undefined while it is loading.
export class Overlay {
  constructor(setup, picture) {
    Object.assign(this, {setup, picture});
  }

  // answer, since: the last answer and how many ms ago its frame was taken.
  // choices: {points, contours, mesh, mirror, filters}; size: of the target in its own pixels.
  draw(context, answer, since, choices, size) {
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, size.width, size.height);
    if (!answer || since > GONE) return;
    context.globalAlpha = Math.min(1, (GONE - since) / (GONE - STALE));
    const scale = size.width / answer.width;
    // Half a pixel, because a pixel's centre is half a pixel from its corner.
    context.setTransform(scale, 0, 0, size.height / answer.height, scale / 2, scale / 2);
    const ahead = Math.min(Math.max(since, 0), this.setup.carry);
    const faces = carriedOn(answer.faces, ahead).sort((a, b) => faceSize(a) - faceSize(b));
    for (const face of faces) this.drawFace(context, face, ahead, choices, scale);
    if (faces.length > 1) for (const face of faces) this.label(context, face, choices, scale);
    context.globalAlpha = 1;
  }

  drawFace(context, face, ahead, choices, scale) {
    const size = faceSize(face);
    // Thin on a small face, but never too thin to be seen on the screen.
    const width = Math.min(Math.max(0.007 * size, 0.8 / scale), 0.02 * size);
    for (const name of choices.filters) this.dress(context, face.filters[name], name, ahead);
    if (choices.mesh) this.mesh(context, face, width);
    if (choices.contours) this.contours(context, face, width);
    if (choices.points) this.points(context, face, width);
  }

  dress(context, filter, name, ahead) {
    const picture = this.picture(name);
    if (!filter || !picture) return;
    const [a, c, x, b, d, y] = placeAt(filter, ahead);
    context.save();
    context.transform(a, b, c, d, x, y);
    context.drawImage(picture.image, -0.5, -0.5, picture.width, picture.height);
    context.restore();
  }

  mesh(context, face, width) {
    context.beginPath();
    for (const [from, to] of this.setup.mesh) {
      context.moveTo(...face.points[from]);
      context.lineTo(...face.points[to]);
    }
    context.lineJoin = "round";
    this.stroke(context, 1.6 * width, "rgb(0 0 0 / 0.25)");
    this.stroke(context, 0.6 * width, "rgb(255 255 255 / 0.85)");
  }

  contours(context, face, width) {
    const paths = this.setup.parts.map(({indices, closed, colour}) => {
      const path = new Path2D();
      indices.forEach((index, i) => path[i ? "lineTo" : "moveTo"](...face.points[index]));
      if (closed) path.closePath();
      return {path, colour};
    });
    context.lineJoin = context.lineCap = "round";
    for (const {path} of paths) this.stroke(context, 2 * width, INK, path);
    for (const {path, colour} of paths) this.stroke(context, width, colour, path);
  }

  stroke(context, width, style, path) {
    context.lineWidth = width;
    context.strokeStyle = style;
    if (path) context.stroke(path);
    else context.stroke();
  }

  // Points that the network is unsure of are hollow.
  points(context, face, width) {
    const radius = 2.1 * width;
    for (const {indices, colour} of this.setup.parts) {
      const sure = new Path2D();
      const unsure = new Path2D();
      for (const index of indices) {
        const path = face.confidence[index] < LOW_CONFIDENCE ? unsure : sure;
        const [x, y] = face.points[index];
        path.moveTo(x + radius, y);
        path.arc(x, y, radius, 0, 2 * Math.PI);
      }
      this.stroke(context, width, INK, sure);
      context.fillStyle = colour;
      context.fill(sure);
      this.stroke(context, 1.8 * width, INK, unsure);
      this.stroke(context, 0.8 * width, colour, unsure);
    }
  }

  // The face's number above it; readable where the picture is mirrored, too.
  label(context, face, choices, scale) {
    const {left, right, top} = extent(face.points);
    const radius = Math.max(0.08 * faceSize(face), 9 / scale);
    context.save();
    context.translate((left + right) / 2, top - 1.6 * radius);
    if (choices.mirror) context.scale(-1, 1);
    context.fillStyle = "rgb(16 16 16 / 0.75)";
    context.beginPath();
    context.arc(0, 0, radius, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = "white";
    context.font = `600 ${1.2 * radius}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.fillText(face.id, 0, 0.08 * radius);
    context.restore();
  }
}
