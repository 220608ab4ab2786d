// The live view: ties camera, link, overlay, gauges and recording to the page's buttons.
// Runs in gr.HTML's js_on_load, where `element` is the component and `server` its functions.

const LONGEST_SIDE = 480; // pixels of what is sent; a face needs 128 of them
const READOUT_PAUSE = 500; // ms
const NO_FACE_HINT = 1500; // ms without a face before it is mentioned
const PICTURE_WIDTH = 512; // pixels of a filter's picture

class LiveView {
  constructor(element, server) {
    this.root = element.querySelector(".live");
    this.server = server;
    this.video = this.root.querySelector("video");
    this.canvas = this.root.querySelector("canvas");
    this.context = this.canvas.getContext("2d");
    this.parts = Object.fromEntries(
      [...this.root.querySelectorAll("[data-live]")].map((part) => [part.dataset.live, part]));
    this.pictures = {};
    this.grabber = new Grabber(this.video, LONGEST_SIDE);
    this.gauges = new Gauges(this.parts.faces);
    this.link = new Link(server, (...answer) => this.onAnswer(...answer),
      (trouble) => this.showTrouble(trouble));
    this.connect();
    this.readChoices();
  }

  connect() {
    const {begin, end, snapshot, record, csv, json, trouble} = this.parts;
    begin.addEventListener("click", () => this.start());
    end.addEventListener("click", () => this.stop());
    snapshot.addEventListener("click", () => this.saveSnapshot());
    record.addEventListener("click", () => this.toggleRecording());
    csv.addEventListener("click", () => this.saveRecording("csv"));
    json.addEventListener("click", () => this.saveRecording("json"));
    trouble.querySelector("button").addEventListener("click", () => this.link.open());
    this.video.addEventListener("resize", () => this.fitView());
    this.root.addEventListener("input", (event) => this.onInput(event.target));
    this.stopWhenLeft();
  }

  // Leaving the tab takes this element off the page, which changes its size; the camera's light
  // must not stay on then, nor when the page is hidden or closed.
  stopWhenLeft() {
    const left = () => {
      if (this.state !== "idle") {
        this.stop("Camera off", "It was turned off because you left. Start it again to go on.");
      }
    };
    this.resized = new ResizeObserver(() => {
      if (this.root.getClientRects().length === 0) left();
      else this.fitCanvas();
    });
    this.resized.observe(this.root);
    document.addEventListener("visibilitychange", () => document.hidden && left());
    window.addEventListener("pagehide", left);
  }

  get state() { return this.root.dataset.state; }

  set state(state) {
    this.root.dataset.state = state;
    for (const name of ["end", "snapshot", "record"]) this.parts[name].disabled = state !== "live";
  }

  async start(deviceId) {
    if (this.state === "starting") return;
    this.stop();
    this.state = "starting";
    this.cover("Waiting for the camera", "Your browser may ask whether this page may use it.");
    const attempt = (this.attempt = {});
    let stream;
    try {
      stream = await openCamera(deviceId);
    } catch (error) {
      if (attempt === this.attempt) this.refuse(error);
      return;
    }
    if (attempt !== this.attempt) { // stopped while the browser was asking
      closeCamera(stream);
      return;
    }
    this.stream = stream; // from here on, stop closes it
    if (!this.setup) {
      this.cover("Connecting", "The machine that runs this page is being asked.");
      this.setup = await within(this.server.setup({}), OPEN_LIMIT);
    }
    if (attempt !== this.attempt) return;
    if (this.setup) this.run(stream);
    else this.stop("No connection", "The machine that runs this page does not answer.", "Try again");
  }

  refuse(error) {
    const trouble = CAMERA_TROUBLE[error.kind] ?? CAMERA_TROUBLE.busy;
    this.stop(trouble.title, trouble.text, "Try again");
    this.parts.begin.focus({preventScroll: true});
  }

  async run(stream) {
    this.overlay = new Overlay(this.setup, (name) => this.picture(name));
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
    this.link.start();
    this.stopFrames = eachFrame(this.video, (time) => this.onFrame(time));
    this.readoutTimer = setInterval(() => this.showReadout(), READOUT_PAUSE);
    this.parts.end.focus({preventScroll: true});
  }

  // Title and text say why, where somebody should know.
  stop(title = "Your camera, live", text = this.invitation, button = "Start camera") {
    this.invitation ??= this.parts.text.textContent;
    this.attempt = null;
    this.stopFrames?.();
    clearInterval(this.readoutTimer);
    if (this.link.running) this.link.stop();
    closeCamera(this.stream);
    this.stream = this.video.srcObject = this.answer = null;
    if (this.recording && !this.recording.ended) this.toggleRecording();
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.gauges.clear();
    this.showTrouble(null);
    this.hint("");
    this.parts.readout.textContent = "Camera off";
    this.cover(title, text ?? this.invitation, button);
    this.state = "idle";
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
    if (this.link.ready()) {
      const {smoothing, filters} = this.choices;
      this.link.send(this.grabber.grab(), time, {smoothing, filters});
    }
  }

  onAnswer(answer, time) {
    if (this.state !== "live") return;
    this.answer = {...answer, time};
    this.gauges.show(answer.faces);
    if (this.recording && !this.recording.ended) {
      this.recording.add(this.answer, this.video);
      this.showRecording();
    }
    if (answer.faces.length) this.faceSeen = performance.now();
    const missing = performance.now() - this.faceSeen > NO_FACE_HINT;
    this.hint(missing ? "No face in view. A little more light or a step closer helps." : "");
  }

  draw() {
    const since = this.answer ? this.shown - this.answer.time : 0;
    this.overlay.draw(this.context, this.answer, since, this.choices, this.canvas);
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
    if (input.name === "camera") this.start(input.value);
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
    filters.forEach((name) => this.picture(name));
  }

  // A filter's picture, asked for when it is first worn. Kept no larger than it is ever shown,
  // as it is drawn anew on every frame; width and height are what its place is meant for.
  picture(name) {
    if (!(name in this.pictures)) this.pictures[name] = this.loadPicture(name);
    return this.pictures[name].image ? this.pictures[name] : undefined;
  }

  loadPicture(name) {
    const picture = {};
    this.server.filter_picture({name}).then(async (url) => {
      if (!url) { // no connection; to be asked for again
        delete this.pictures[name];
        return;
      }
      const full = Object.assign(new Image(), {src: url});
      await full.decode();
      const {naturalWidth: width, naturalHeight: height} = full;
      const size = {resizeWidth: Math.min(width, PICTURE_WIDTH), resizeQuality: "high"};
      Object.assign(picture, {width, height, image: await createImageBitmap(full, size)});
    });
    return picture;
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

  showTrouble(trouble) {
    const {trouble: box} = this.parts;
    box.hidden = !trouble;
    box.querySelector("strong").textContent = trouble?.title ?? "";
    box.querySelector("p").textContent = trouble?.text ?? "";
    if (!trouble) return;
    this.answer = null;
    this.gauges.clear();
    this.hint("");
  }

  hint(text) {
    if (this.parts.hint.textContent !== text) this.parts.hint.textContent = text;
  }

  showReadout() {
    const {link} = this;
    const text = link.key === null
      ? (this.parts.trouble.hidden ? "Connecting …" : "No points at the moment")
      : `${link.rate().toFixed(0)} updates/s · ${link.roundTrip.toFixed(0)} ms round trip · `
        + `${link.serverTime.toFixed(0)} ms server`;
    this.parts.readout.textContent = text;
    Object.assign(this.root.dataset, {
      rate: link.rate().toFixed(1), roundTrip: link.roundTrip.toFixed(1),
      server: link.serverTime.toFixed(1), dropped: link.dropped,
    });
  }

  // As the camera sees it, not mirrored: text can be read, and left and right are right.
  saveSnapshot() {
    const {videoWidth: width, videoHeight: height} = this.video;
    const [picture, drawing] = [0, 1].map(() =>
      Object.assign(document.createElement("canvas"), {width, height}));
    const since = this.answer ? this.shown - this.answer.time : 0;
    const choices = {...this.choices, mirror: false};
    this.overlay.draw(drawing.getContext("2d"), this.answer, since, choices, drawing);
    const context = picture.getContext("2d");
    context.drawImage(this.video, 0, 0, width, height);
    context.drawImage(drawing, 0, 0);
    window.saveFile({name: "keypoints.png", url: picture.toDataURL("image/png")});
  }

  toggleRecording() {
    if (this.recording && !this.recording.ended) this.recording.end();
    else this.recording = new Recording(this.setup);
    this.showRecording();
  }

  showRecording() {
    const {record, csv, json} = this.parts;
    const {ended, length, seconds} = this.recording;
    record.setAttribute("aria-pressed", String(!ended));
    const time = `${clock(seconds)} of ${clock(RECORDING_LIMIT)}`;
    const text = ended ? "Record points" : `Stop recording · ${time}`;
    if (record.textContent !== text) record.textContent = text;
    csv.hidden = json.hidden = !ended || !length;
  }

  saveRecording(format) {
    const {type, text} = this.recording.file(format);
    const url = URL.createObjectURL(new Blob([text], {type}));
    window.saveFile({name: `keypoints.${format}`, url}).then(() => URL.revokeObjectURL(url));
  }
}

new LiveView(element, server);
