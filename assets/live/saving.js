// What can be saved of the live view: a snapshot, and the points of a while.

import {clock, Recording, RECORDING_LIMIT} from "./record.js";

export class Saving {
  // parts: the buttons, by name. setup: see `page_setup`. save({name, url}): hands over a file.
  constructor(parts, setup, save) {
    Object.assign(this, {parts, setup, save});
    parts.csv.addEventListener("click", () => this.saveRecording("csv"));
    parts.json.addEventListener("click", () => this.saveRecording("json"));
    parts.record.addEventListener("click", () => this.toggle());
  }

  get recording() { return this.current && !this.current.ended; }

  toggle() {
    if (this.recording) this.current.end();
    else this.current = new Recording(this.setup);
    this.show();
  }

  end() { if (this.recording) this.toggle(); }

  add(answer, video) {
    if (!this.recording) return;
    this.current.add(answer, video);
    this.show();
  }

  show() {
    const {record, csv, json} = this.parts;
    const {ended, length, seconds} = this.current;
    record.setAttribute("aria-pressed", String(!ended));
    const time = `${clock(seconds)} of ${clock(RECORDING_LIMIT)}`;
    const text = ended ? "Record points" : `Stop recording · ${time}`;
    if (record.textContent !== text) record.textContent = text;
    csv.hidden = json.hidden = !ended || !length;
  }

  saveRecording(format) {
    const {type, text} = this.current.file(format);
    const url = URL.createObjectURL(new Blob([text], {type}));
    this.save({name: `keypoints.${format}`, url}).then(() => URL.revokeObjectURL(url));
  }

  // As the camera sees it, not mirrored: text can be read, and left and right are right.
  // draw(context, canvas): draws the faces.
  snapshot(video, draw) {
    const {videoWidth: width, videoHeight: height} = video;
    const [picture, drawing] = [0, 1].map(() =>
      Object.assign(document.createElement("canvas"), {width, height}));
    draw(drawing.getContext("2d"), drawing);
    const context = picture.getContext("2d");
    context.drawImage(video, 0, 0, width, height);
    context.drawImage(drawing, 0, 0);
    this.save({name: "keypoints.png", url: picture.toDataURL("image/png")});
  }
}
