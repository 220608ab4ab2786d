// The choice to keep a photo on this device: its own view takes the place of the server's.

import {whyNot} from "../engine.js";
import {PhotoView} from "./photo.js";

const OFF = "The photo is sent to the machine that runs this page.";
const ON = "Your browser finds the faces; the photo is sent nowhere.";

export class KeepPhoto {
  /**
   * @param {HTMLElement} element holds keep.html
   * @param {import("../../live/live.js").Page} page
   */
  constructor(element, page) {
    this.element = element;
    this.page = page;
    this.box = element.querySelector("input[name=keep-photo]");
    this.trouble = whyNot(page.device);
    this.box.disabled = Boolean(this.trouble);
    const asked = new URLSearchParams(location.search);
    const here = (asked.get("view") ?? "photo") === "photo" && asked.get("runs") === "device";
    this.box.checked = here && !this.trouble;
    this.box.addEventListener("change", () => {
      this.show();
      this.tell();
    });
    this.show();
    let shown = false;
    new ResizeObserver(() => {
      const before = shown;
      shown = element.getClientRects().length > 0;
      if (shown && !before) this.tell();
    }).observe(element.querySelector(".keep-photo"));
  }

  show() {
    const {checked} = this.box;
    document.documentElement.dataset.photoRuns = checked ? "device" : "server";
    this.element.querySelector(".on-device").hidden = !checked;
    const text = checked ? ON : `${OFF}${this.trouble ? ` ${this.trouble}` : ""}`;
    this.element.querySelector("[data-keep=text]").textContent = text;
    if (checked) this.view ??= new PhotoView(this.element, this.page);
  }

  // Puts the choice into the address.
  tell() { window.setLink("runs", this.box.checked ? "device" : "server", "server"); }
}
