// The points of a session, kept in the page and nowhere else until they are saved.

export const RECORDING_LIMIT = 600; // seconds; some 30 MB
export const clock = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

// Coordinates of a frame that was shrunk for sending, in pixels of the camera's own picture.
// Pixel centres are at whole numbers, so the corner is at -0.5.
const rounded = (value) => Math.round(100 * value) / 100;
const enlarged = (value, factor) => rounded((value + 0.5) * factor - 0.5);

export class Recording {
  constructor(setup) {
    this.columns = setup.columns;
    this.lines = []; // JSON of each frame: a fifth of what the objects would take
    this.start = null;
    this.seconds = 0;
    this.ended = false;
    this.stream = null; // whose ids count on from `before`
    this.before = this.highest = 0;
  }

  get length() { return this.lines.length; }

  end() { this.ended = true; }

  // As Recording.add in facial_keypoints/video/recording.py: faces whose last points are only shown for
  // a moment more were not measured.
  add(answer, video) {
    this.start ??= answer.time;
    const time_ms = Math.round(1000 * (answer.time - this.start)) / 1000;
    this.seconds = time_ms / 1000;
    if (this.seconds >= RECORDING_LIMIT) this.end();
    if (answer.stream !== this.stream) { // it calls its first face 1, as the one before did
      this.stream = answer.stream;
      this.before = this.highest;
    }
    const across = video.videoWidth / answer.width;
    const down = video.videoHeight / answer.height;
    const faces = answer.faces.filter((face) => face.score > 0).map((face) => ({
      track: this.before + face.id,
      box: [
        enlarged(face.box[0], across), enlarged(face.box[1], down),
        rounded(face.box[2] * across), rounded(face.box[3] * down),
      ],
      score: face.score,
      points: face.points.map(([x, y]) => [enlarged(x, across), enlarged(y, down)]),
      confidence: face.confidence,
      pose: face.pose,
    }));
    this.highest = Math.max(this.highest, ...faces.map(({track}) => track));
    this.lines.push(JSON.stringify({time_ms, faces}));
  }

  file(format) {
    return format === "json"
      ? {type: "application/json", text: `[\n${this.lines.join(",\n")}\n]\n`}
      : {type: "text/csv", text: this.csv()};
  }

  // A row a face and frame; a frame without faces has one with its time only.
  csv() {
    const row = (fields) => this.columns.map((column) => fields[column] ?? "").join(",");
    const rows = [this.columns.join(",")];
    for (const line of this.lines) {
      const {time_ms, faces} = JSON.parse(line);
      for (const face of faces) rows.push(row({time_ms, ...csvFields(face)}));
      if (!faces.length) rows.push(row({time_ms}));
    }
    return rows.join("\n") + "\n";
  }
}

export const csvFields = ({track, box: [box_x, box_y, box_w, box_h], score, points, confidence, pose}) => {
  const fields = {track, box_x, box_y, box_w, box_h, score, ...pose};
  points.forEach(([x, y], i) => Object.assign(fields, {[`x${i}`]: x, [`y${i}`]: y}));
  confidence.forEach((value, i) => { fields[`c${i}`] = value; });
  return fields;
};
