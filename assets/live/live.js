// The live view: ties camera, link, overlay, gauges and saving to the page's buttons.

import {sharedEngine, whyNot} from "../device/engine.js";
import {DeviceLink} from "../device/link.js";
import {CAMERA_TROUBLE, closeCamera, eachFrame, listCameras, openCamera} from "./camera.js";
import {Gauges} from "./gauges.js";
import {ServerLink} from "./link.js";
import {Overlay} from "./overlay.js";
import {Pictures} from "./pictures.js";
import {Runs} from "./runs.js";
import {Saving} from "./saving.js";

const READOUT_PAUSE = 500; // ms
const NO_FACE_HINT = 1500; // ms without a face before it is mentioned

/**
 * @typedef {object} Page
 * @property {object | null} server Gradio's server functions; null where there is no server
 * @property {object} setup see `page_setup`
 * @property {{engine: string, models: string, scripts: string, missing: string, megabytes: number}}
 *   device addresses of folders, whole; see `DeviceFiles.describe`
 * @property {(file: {name: string, url: string}) => Promise<void>} save hands over a file
 */
export class LiveView {
  /**
   * @param {HTMLElement} element holds live.html
   * @param {Page} page
   */
  constructor(element, {server, setup, device, save}) {
    this.root = element.querySelector(".live");
    this.device = device;
    this.video = this.root.querySelector("video");
    this.canvas = this.root.querySelector("canvas");
    this.context = this.canvas.getContext("2d");
    this.parts = Object.fromEntries(
      [...this.root.querySelectorAll("[data-live]")].map((part) => [part.dataset.live, part]));
    this.pictures = new Pictures(`${device.scripts}filters/`);
    this.overlay = new Overlay(setup, (name) => this.pictures.get(name));
    this.gauges = new Gauges(this.parts.faces);
    this.saving = new Saving(this.parts, setup, save);
    this.makeLinks(server);
    this.connect();
    this.readChoices();
    this.stop();
    this.parts.begin.disabled = false;
  }

  makeLinks(server) {
    const heard = [(...answer) => this.onAnswer(...answer), (trouble) => this.showTrouble(trouble)];
    const trouble = whyNot(this.device);
    this.runs = new Runs(this.parts.runs, {
      view: "live", usual: "device", trouble, server: Boolean(server),
    }, () => this.onRuns());
    const leave = server && (() => this.runs.choose("server"));
    this.links = {
      device: new DeviceLink(sharedEngine(this.device), ...heard, {leave}),
      server: server && new ServerLink(server, ...heard),
    };
    this.links.device.webgpu = this.runs.webgpu;
  }

  get link() { return this.links[this.runs.where]; }

  connect() {
    const {begin, end, snapshot} = this.parts;
    begin.addEventListener("click", () => this.start());
    end.addEventListener("click", () => this.stop());
    snapshot.addEventListener("click", () => this.saving.snapshot(this.video,
      (context, canvas) => this.draw({...this.choices, mirror: false}, context, canvas)));
    this.video.addEventListener("resize", () => this.fitView());
    this.root.addEventListener("input", (event) => this.onInput(event.target));
    this.watchLeaving();
  }

  // Leaving the tab takes this element off the page, which changes its size; the camera's light
  // must not stay on then, nor when the page is hidden or closed.
  watchLeaving() {
    const left = () => {
      if (this.state !== "idle") {
        this.stop("Camera off", "It was turned off because you left. Start it again to go on.");
      }
    };
    let shown = false;
    this.resized = new ResizeObserver(() => {
      const before = shown;
      shown = this.root.getClientRects().length > 0;
      if (!shown) left();
      else this.fitCanvas();
      if (shown && !before) this.onShown();
    });
    this.resized.observe(this.root);
    document.addEventListener("visibilitychange", () => document.hidden && left());
    window.addEventListener("pagehide", left);
  }

  // Fetches the networks while the visitor still reads, unless megabytes are dear to them.
  onShown() {
    this.runs.tell();
    if (this.runs.onDevice && !this.runs.trouble && !navigator.connection?.saveData) {
      this.links.device.engine.load(this.runs.webgpu).catch(() => {}); // said once it is needed
    }
  }

  onRuns() {
    this.links.device.webgpu = this.runs.webgpu;
    this.root.dataset.runs = this.runs.where;
    if (this.state === "live") {
      for (const link of Object.values(this.links)) if (link?.running) link.stop();
      this.answer = null;
      this.gauges.clear();
      this.showTrouble(null);
      this.link.start(this.video);
    } else if (this.state === "idle") {
      this.stop();
      this.onShown();
    }
  }

  get state() { return this.root.dataset.state; }

  set state(state) {
    this.root.dataset.state = state;
    for (const name of ["end", "snapshot", "record"]) this.parts[name].disabled = state !== "live";
  }

  // The camera that was chosen last, if it is still there, unless it must be one now.
  async start(deviceId = this.camera && {ideal: this.camera}) {
    if (this.state === "starting") return;
    this.stop();
    this.state = "starting";
    this.cover("Waiting for the camera", "Your browser may ask whether this page may use it.");
    const attempt = (this.attempt = {});
    try {
      const stream = await openCamera(deviceId);
      if (attempt === this.attempt) this.run(stream);
      else closeCamera(stream); // stopped while the browser was asking
    } catch (error) {
      if (attempt === this.attempt) this.refuse(error);
    }
  }

  refuse(error) {
    const trouble = CAMERA_TROUBLE[error.kind] ?? CAMERA_TROUBLE.busy;
    this.stop(trouble.title, trouble.text, "Try again");
    this.parts.begin.focus({preventScroll: true});
  }

  async run(stream) {
    this.stream = stream; // from here on, stop closes it
    this.answer = null;
    this.faceSeen = performance.now();
    this.video.srcObject = stream;
    const [track] = stream.getVideoTracks();
    track.addEventListener("ended", () => {
      const {title, text} = CAMERA_TROUBLE.ended;
      if (this.stream === stream) this.stop(title, text, "Try again");
    });
    await this.video.play().catch(() => {}); // interrupted by stop: nothing to say
    if (this.stream !== stream) return;
    this.state = "live";
    this.fitView();
    this.turnMirror(track);
    this.listCameras(track);
    this.link.start(this.video);
    this.stopFrames = eachFrame(this.video, (time) => this.onFrame(time));
    this.readoutTimer = setInterval(() => this.showReadout(), READOUT_PAUSE);
    this.parts.end.focus({preventScroll: true});
  }

  // Title and text say why, where somebody should know.
  stop(title = "Your camera, live", text = this.runs.text(this.device.megabytes),
    button = "Start camera") {
    this.attempt = null;
    this.stopFrames?.();
    clearInterval(this.readoutTimer);
    for (const link of Object.values(this.links)) if (link?.running) link.stop();
    closeCamera(this.stream);
    this.stream = this.video.srcObject = this.answer = null;
    this.saving.end();
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.gauges.clear();
    this.showTrouble(null);
    this.hint("");
    this.parts.readout.textContent = "Camera off";
    const able = this.link && !(this.runs.onDevice && this.runs.trouble);
    this.cover(title, text, able ? button : "");
    this.state = "idle";
    this.root.dataset.runs = this.runs.where;
  }

  cover(title, text, button = "") {
    this.parts.title.textContent = title;
    this.parts.text.textContent = text;
    this.parts.begin.textContent = button;
    this.parts.begin.hidden = !button;
  }

  onFrame(time) {
    this.shown = time;
    this.draw();
    this.link.offer(time, this.choices);
  }

  onAnswer(answer, time) {
    if (this.state !== "live") return;
    this.answer = {...answer, time, stream: this.link.attempt};
    this.draw(); // now, for the frame on show may still be the answer's own
    this.gauges.show(answer.faces);
    this.saving.add(this.answer, this.video);
    if (answer.faces.length) this.faceSeen = performance.now();
    const missing = performance.now() - this.faceSeen > NO_FACE_HINT;
    this.hint(missing ? "No face in view. A little more light or a step closer helps." : "");
  }

  draw(choices = this.choices, context = this.context, canvas = this.canvas) {
    const since = this.answer ? this.shown - this.answer.time : 0;
    this.overlay.draw(context, this.answer, since, choices, canvas);
  }

  // The view has the camera's proportions, which change when a phone is turned.
  fitView() {
    const {videoWidth, videoHeight} = this.video;
    if (videoWidth) this.root.style.setProperty("--ratio", videoWidth / videoHeight);
    this.fitCanvas();
  }

  // As many pixels as the screen shows of it, so that lines are crisp and no work is wasted.
  fitCanvas() {
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const width = Math.round(this.canvas.clientWidth * ratio);
    const height = Math.round(this.canvas.clientHeight * ratio);
    if (!width || (this.canvas.width === width && this.canvas.height === height)) return;
    this.canvas.width = width;
    this.canvas.height = height;
    if (this.state === "live" && this.shown !== undefined) this.draw();
  }

  onInput(input) {
    if (input.name === "camera") this.start({exact: (this.camera = input.value)});
    else this.readChoices();
  }

  readChoices() {
    const on = (name) => this.root.querySelector(`input[name=${name}]`).checked;
    const [points, contours, mesh, mirror] = ["points", "contours", "mesh", "mirror"].map(on);
    const smoothing = Number(this.root.querySelector("input[name=smoothing]").value);
    const filters = [...this.root.querySelectorAll("input[data-filter]:checked")]
      .map((box) => box.name);
    this.choices = {points, contours, mesh, mirror, smoothing, filters};
    this.root.classList.toggle("mirrored", mirror);
    filters.forEach((name) => this.pictures.get(name));
  }

  // A camera at the back of a phone shows the world, which nobody expects mirrored. Whoever chose
  // otherwise is not asked again until the camera faces the other way.
  turnMirror(track) {
    const back = track.getSettings?.().facingMode === "environment";
    if (back !== this.back) this.root.querySelector("input[name=mirror]").checked = !back;
    this.back = back;
    this.readChoices();
  }

  async listCameras(track) {
    const select = this.root.querySelector("select[name=camera]");
    const cameras = await listCameras();
    select.replaceChildren(...cameras.map(({label, deviceId}, index) =>
      new Option(label || `Camera ${index + 1}`, deviceId)));
    select.value = track.getSettings?.().deviceId ?? "";
    select.closest("label").hidden = cameras.length < 2;
  }

  // trouble: {title, text, ways: name of a button -> what it does; goesOn: whether the points are
  // still right}; null where there is none.
  showTrouble(trouble) {
    const {trouble: box, ways} = this.parts;
    box.hidden = !trouble;
    box.querySelector("strong").textContent = trouble?.title ?? "";
    box.querySelector("p").textContent = trouble?.text ?? "";
    ways.replaceChildren(...Object.entries(trouble?.ways ?? {}).map(([name, act]) => {
      const button = Object.assign(document.createElement("button"), {
        type: "button", className: "live-button", textContent: name,
      });
      button.addEventListener("click", act);
      return button;
    }));
    if (!trouble || trouble.goesOn) return;
    this.answer = null;
    this.gauges.clear();
    this.hint("");
  }

  hint(text) {
    if (this.parts.hint.textContent !== text) this.parts.hint.textContent = text;
  }

  showReadout() {
    const stuck = !this.answer && !this.parts.trouble.hidden;
    this.parts.readout.textContent = stuck ? "No points at the moment" : this.link.said;
    Object.assign(this.root.dataset, this.link.figures);
  }
}
