// Small live gauges of each face: what eyes, mouth and brows do, and where the head points.

// Person's left eye first: in a mirror it is the one on the left.
const LEVELS = [
  ["left_eye", "Left eye"], ["right_eye", "Right eye"], ["mouth", "Mouth"],
  ["smile", "Smile"], ["brows", "Brows"],
];
// Degrees at the ends of the scale, and what the two ends mean.
const ANGLES = [
  ["yaw", "Yaw", 60, "to their right", "to their left"],
  ["pitch", "Pitch", 45, "down", "up"],
  ["roll", "Roll", 45, "right ear down", "left ear down"],
];
const GAUGE_PAUSE = 80; // ms between updates; nobody reads faster, and the page stays light

const WORDS = {
  left_eye: (value) => (value < 0.35 ? "closed" : "open"),
  right_eye: (value) => (value < 0.35 ? "closed" : "open"),
  mouth: (value) => (value > 0.15 ? "open" : "closed"),
  smile: (value) => (value > 0.5 ? "yes" : ""),
  brows: (value) => (value > 0.5 ? "raised" : ""),
};

const gaugeRow = (name, label, kind, limit) =>
  `<dt>${label}</dt><dd><span class="gauge ${kind}" data-gauge="${name}" role="meter"
    aria-label="${label}" aria-valuemin="${kind === "angle" ? -limit : 0}"
    aria-valuemax="${limit}" aria-valuenow="0"></span><span data-reading="${name}"></span></dd>`;

const gaugeCard = (id) => {
  const card = document.createElement("article");
  card.className = "gauges";
  card.dataset.face = id;
  card.innerHTML = `<header><h2>Face ${id}</h2><p><b data-reading="blinks">0</b> blinks</p></header>
    <dl>${LEVELS.map(([name, label]) => gaugeRow(name, label, "level", 1)).join("")}
    ${ANGLES.map(([name, label, limit]) => gaugeRow(name, label, "angle", limit)).join("")}</dl>`;
  return card;
};

export class Gauges {
  constructor(box) {
    this.box = box;
    this.cards = new Map(); // id -> card
    this.last = 0;
  }

  clear() {
    this.box.replaceChildren();
    this.cards.clear();
  }

  show(faces) {
    const now = performance.now();
    if (now - this.last < GAUGE_PAUSE) return;
    this.last = now;
    const seen = new Set(faces.map((face) => face.id));
    for (const [id, card] of this.cards) {
      if (!seen.has(id)) {
        card.remove();
        this.cards.delete(id);
      }
    }
    for (const face of faces) this.fill(this.card(face.id), face);
  }

  card(id) {
    if (!this.cards.has(id)) {
      const card = gaugeCard(id);
      this.cards.set(id, card);
      this.box.append(card);
    }
    return this.cards.get(id);
  }

  fill(card, face) {
    this.word(card, "blinks", face.expression.blinks);
    for (const [name] of LEVELS) {
      const value = face.expression[name];
      this.level(card, name, value, value);
      this.word(card, name, WORDS[name](value));
    }
    for (const [name, , limit, low, high] of ANGLES) {
      const value = face.pose ? face.pose[name] : 0;
      const share = Math.min(Math.max(value / limit, -1), 1);
      this.level(card, name, share, value);
      const way = Math.abs(value) < 3 ? "" : value < 0 ? low : high;
      this.word(card, name, face.pose ? `${Math.abs(Math.round(value))}° ${way}` : "–");
    }
  }

  level(card, name, share, value) {
    const gauge = card.querySelector(`[data-gauge=${name}]`);
    gauge.style.setProperty("--value", share.toFixed(3));
    gauge.setAttribute("aria-valuenow", value.toFixed(2));
  }

  word(card, name, text) {
    const place = card.querySelector(`[data-reading=${name}]`);
    if (place.textContent !== String(text)) place.textContent = text;
  }
}
