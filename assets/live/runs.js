// Where faces are found: on this device or on the server. It is said, chosen, and in the address.

const SERVER_TEXT = "Small pictures are sent to the machine that runs this page. It returns the "
  + "points and stores no picture.";

export class Runs {
  // root: holds the radio buttons "runs" and the check box "webgpu".
  // view: its name in links. usual: "device" or "server", where both work.
  // trouble: why it cannot be this device, or "". server: whether there is one to choose.
  constructor(root, {view, usual, trouble, server}, onChange) {
    Object.assign(this, {root, view, trouble, server, onChange});
    this.usual = server && trouble ? "server" : server ? usual : "device";
    const asked = new URLSearchParams(location.search);
    const wanted = (asked.get("view") ?? "photo") === view ? asked.get("runs") : null;
    const early = root.querySelector("input[type=radio]:checked")?.value; // before this script came
    this.where = [early, wanted].find((where) => this.allows(where)) ?? this.usual;
    this.root.hidden = !server && !navigator.gpu;
    this.fill();
    root.addEventListener("change", ({target}) => this.change(target));
  }

  allows(where) { return where === "device" ? !this.trouble : where === "server" && this.server; }

  get onDevice() { return this.where === "device"; }

  get webgpu() { return this.box("webgpu")?.checked ?? false; }

  box(name) { return this.root.querySelector(`input[name$="${name}"]`); }

  fill() {
    for (const radio of this.root.querySelectorAll("input[type=radio]")) {
      radio.checked = radio.value === this.where;
      radio.disabled = !this.allows(radio.value);
      const label = radio.closest("label");
      label.hidden = !this.server;
      if (radio.disabled && this.trouble) label.title = this.trouble;
    }
    const card = this.box("webgpu")?.closest("label");
    if (card) card.hidden = !navigator.gpu || !this.onDevice || Boolean(this.trouble);
  }

  change(input) {
    if (input.type === "radio") this.choose(input.value);
    else this.onChange(this);
  }

  choose(where) {
    this.where = where;
    this.fill();
    this.tell();
    this.onChange(this);
  }

  // Puts the choice into the address, which belongs to the view on show.
  tell() {
    if (this.server) window.setLink?.("runs", this.where, this.usual);
  }

  // What happens to the camera's pictures. megabytes: of the first start.
  text(megabytes) {
    if (!this.onDevice) return this.trouble ? `${this.trouble} ${SERVER_TEXT}` : SERVER_TEXT;
    return this.trouble || "The camera's pictures never leave this device: the networks run in your "
      + `browser. The first start fetches ${megabytes} MB.`;
  }
}
