// A photo answered in the browser: read, faces, drawing, cards, downloads. It is sent nowhere.

import {Pictures} from "../../live/pictures.js";
import {sharedEngine, whyNot} from "../engine.js";
import {fetchWell} from "../fetch.js";
import {useConstants} from "../pipeline/constants.js";
import {showCards} from "./cards.js";
import {PhotoDrawing} from "./draw.js";
import {toCsv, toJson} from "./export.js";
import {enlarged, PhotoTrouble, readPhoto} from "./read.js";

const PREVIEW_SIDE = 1600; // pixels, the longer side of what is drawn on
const JPEG_QUALITY = 0.92; // of the annotated photo; less smears thin lines
const NO_FACE = "The detector misses faces that are very small, dark, covered or turned far away. A "
  + "closer or brighter photo helps, and so does cropping the photo to the face.";

export class PhotoView {
  /**
   * @param {HTMLElement} element holds photo.html
   * @param {import("../../live/live.js").Page} page
   */
  constructor(element, {setup, device, save}) {
    Object.assign(this, {setup, device, save});
    this.root = element.querySelector(".own-photo");
    this.parts = Object.fromEntries(
      [...this.root.querySelectorAll("[data-own]")].map((part) => [part.dataset.own, part]));
    this.engine = sharedEngine(device);
    const pictures = new Pictures(`${device.scripts}filters/`, () => this.draw());
    this.drawing = new PhotoDrawing(setup, (name) => pictures.get(name));
    const trouble = whyNot(device);
    if (trouble) this.tell("Not on this device", trouble);
    else this.connect();
  }

  connect() {
    const {file, jpeg, json, csv} = this.parts;
    file.disabled = false;
    file.addEventListener("change", () => {
      if (file.files.length) this.open(file.files[0], file.files[0].name);
      file.value = ""; // so that the same photo can be chosen again
    });
    this.root.addEventListener("input", ({target}) => target !== file && this.draw());
    jpeg.addEventListener("click", () => this.saveJpeg());
    json.addEventListener("click", () =>
      this.saveText("json", "application/json", toJson(this.photo, this.faces)));
    csv.addEventListener("click", () =>
      this.saveText("csv", "text/csv", toCsv(this.photo, this.faces, this.setup.photo_columns)));
    this.showExamples();
    this.takeDropped();
  }

  get shown() { return this.root.getClientRects().length > 0; }

  showExamples() {
    const examples = Object.entries(this.setup.examples);
    this.parts.examples.replaceChildren(...examples.map(([name, text]) => {
      const address = `${this.device.scripts}examples/${name}`;
      const button = Object.assign(document.createElement("button"), {type: "button", title: text});
      button.append(Object.assign(new Image(), {src: address, alt: text, loading: "lazy"}));
      button.addEventListener("click", () =>
        this.open(fetchWell(address).then((answer) => answer.blob()), name));
      return button;
    }));
  }

  // Before the rest of the page, which would send the photo to the server.
  takeDropped() {
    const files = (event) => [...(event.dataTransfer ?? event.clipboardData)?.files ?? []];
    const take = (event) => {
      if (!this.shown || event.target.closest?.("textarea, input[type=text]")) return;
      const [file] = files(event);
      if (!file) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      this.over(false);
      this.open(file, file.name);
    };
    window.addEventListener("drop", take, true);
    window.addEventListener("paste", take, true);
    window.addEventListener("dragover", (event) => {
      if (!this.shown) return;
      event.preventDefault();
      this.over(true);
    }, true);
    window.addEventListener("dragleave", () => this.over(false), true);
  }

  over(is) { this.parts.drop.classList.toggle("over", is); }

  /** Answers a photo. @param {Blob | Promise<Blob>} file @param {string} name */
  async open(file, name) {
    const attempt = (this.attempt = {});
    this.forget();
    this.tell("Looking …", this.constants ? "" : "The first photo takes longer: the networks are fetched.");
    try {
      const read = Promise.resolve(file).then((blob) => readPhoto(blob, name || "photo"));
      const [photo] = await Promise.all([read, this.load()]);
      const image = await createImageBitmap(photo.canvas);
      const answer = await this.engine.find(image, {time: 0, mode: "photo"});
      if (attempt !== this.attempt) return;
      this.photo = photo;
      this.onCanvas = answer.faces;
      this.faces = enlarged(answer.faces, photo);
      this.show(answer.milliseconds.total);
    } catch (error) {
      if (attempt !== this.attempt) return;
      const title = error instanceof PhotoTrouble ? "This photo cannot be used" : "This device cannot answer";
      this.tell(title, error.message, "error");
    }
  }

  // The drawing needs the constants here, the worker has its own.
  async load() {
    this.constants ??= fetchWell(`${this.device.models}constants.json`)
      .then((answer) => answer.json()).then(useConstants);
    this.constants.catch(() => { this.constants = null; }); // asked for again with the next photo
    await Promise.all([this.constants, this.engine.load(this.engine.webgpu)]);
  }

  forget() {
    this.photo = this.faces = this.onCanvas = null;
    this.parts.view.hidden = true;
    this.parts.cards.replaceChildren();
    for (const name of ["jpeg", "json", "csv"]) this.parts[name].disabled = true;
  }

  show(milliseconds) {
    const {name, width, height, canvas} = this.photo;
    const count = this.faces.length;
    if (count) {
      const status = document.createElement("div");
      status.className = "summary";
      const [bold, rest] = [document.createElement("strong"), document.createElement("span")];
      bold.textContent = count === 1 ? "1 face" : `${count} faces`;
      rest.textContent = ` found on this device in ${Math.round(milliseconds)} ms in ${name}, `
        + `${width} × ${height} pixels`;
      status.append(bold, rest);
      this.parts.status.replaceChildren(status);
    } else {
      this.tell("No face found", NO_FACE);
    }
    for (const button of ["jpeg", "json", "csv"]) this.parts[button].disabled = false;
    showCards(this.parts.cards, this.onCanvas, canvas, this.setup.groups);
    this.parts.view.hidden = false;
    this.parts.canvas.setAttribute("aria-label", `${name} with ${count} of its faces marked`);
    this.draw();
  }

  get choices() {
    const choices = {filters: []};
    for (const box of this.root.querySelectorAll("input[data-draw]")) choices[box.dataset.draw] = box.checked;
    choices.filters = [...this.root.querySelectorAll("input[data-filter]:checked")].map((box) => box.name);
    return choices;
  }

  draw() {
    if (!this.photo) return;
    const {canvas: photo} = this.photo;
    const scale = Math.min(1, PREVIEW_SIDE / Math.max(photo.width, photo.height));
    this.drawOn(this.parts.canvas, scale);
  }

  drawOn(canvas, scale) {
    const {canvas: photo} = this.photo;
    canvas.width = Math.max(1, Math.round(scale * photo.width));
    canvas.height = Math.max(1, Math.round(scale * photo.height));
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(photo, 0, 0, canvas.width, canvas.height);
    this.drawing.draw(context, this.onCanvas, scale, this.choices);
  }

  saveJpeg() {
    const {name} = this.photo; // another may be opened meanwhile
    const canvas = document.createElement("canvas");
    this.drawOn(canvas, 1);
    canvas.toBlob((blob) => this.saveBlob(blob, "jpg", name), "image/jpeg", JPEG_QUALITY);
  }

  saveText(ending, type, text) { this.saveBlob(new Blob([text], {type}), ending, this.photo.name); }

  saveBlob(blob, ending, name) {
    const stem = name.replace(/\.[^.]*$/, "") || "photo";
    const url = URL.createObjectURL(blob);
    this.save({name: `${stem}_keypoints.${ending}`, url}).then(() => URL.revokeObjectURL(url));
  }

  tell(title, text, kind = "info") {
    const notice = document.createElement("div");
    notice.className = `notice ${kind}`;
    notice.append(Object.assign(document.createElement("strong"), {textContent: title}));
    if (text) notice.append(Object.assign(document.createElement("p"), {textContent: text}));
    this.parts.status.replaceChildren(notice);
  }
}
