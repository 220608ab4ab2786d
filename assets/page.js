// What the page does beyond Gradio: links to a tab and its settings, saving files that never lie on
// the server, photo formats that a browser does not know, dropping and pasting a photo anywhere.
(() => {
  // Links. Tabs by their ids in web/page.py and web/keypoints/tab.py, and the name that each level
  // of them has in the address; settings come from web/links.py.
  const LEVELS = {tab: ["keypoints", "captions"], view: ["photo", "live", "video"]}; // usual first
  const levelOf = (id) => Object.keys(LEVELS).find((level) => LEVELS[level].includes(id));

  // Says in the address what this setting is, without loading anything; the usual one is left out.
  window.setLink = (name, value, usual) => {
    const [text, default_] = [value, usual].map((v) => Array.isArray(v) ? v.join(" ") : `${v}`);
    const address = new URL(location.href);
    if (text === default_) address.searchParams.delete(name);
    else address.searchParams.set(name, text);
    history.replaceState(history.state, "", address);
  };

  const button = (id) => document.querySelector(`[role=tab][data-tab-id="${id}"]`);
  window.openTabs = (ids) => {
    for (const id of ids) button(id)?.click();
    window.scrollTo({top: 0});
    // The panel is shown only now, and what is hidden takes no focus.
    requestAnimationFrame(() => requestAnimationFrame(
      () => button(ids.at(-1))?.focus({preventScroll: true})));
  };

  document.addEventListener("click", (event) => {
    const id = event.target.closest?.("[role=tab]")?.dataset.tabId;
    const level = levelOf(id);
    if (level) window.setLink(level, id, LEVELS[level][0]);
  });

  // The tabs of the link, the inner one first, as soon as they are there; unknown ones are ignored.
  const asked = new URLSearchParams(location.search);
  const wanted = ["view", "tab"].map((level) => asked.get(level)).filter(levelOf);
  const openWanted = () => {
    if (!wanted.every(button)) return;
    observer.disconnect();
    wanted.forEach((id) => button(id).click());
  };
  const observer = new MutationObserver(openWanted);
  if (wanted.length) observer.observe(document, {childList: true, subtree: true});

  // Windows and Linux browsers give these files no type, and Gradio refuses what is no "image/*".
  const TYPES = {
    heic: "image/heic", heif: "image/heif", hif: "image/heif", avif: "image/avif",
    tif: "image/tiff", tiff: "image/tiff", jfif: "image/jpeg", jpe: "image/jpeg",
  };
  const PICKER = "image/*," + Object.keys(TYPES).map((ending) => "." + ending).join(",");

  window.saveFile = async (file) => {
    const link = document.createElement("a");
    const blob = await (await fetch(file.url)).blob();
    link.href = URL.createObjectURL(blob);
    link.download = file.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  };

  const typed = (file) => {
    const type = TYPES[file.name.split(".").pop().toLowerCase()];
    return type && !file.type.startsWith("image/") ? new File([file], file.name, {type}) : file;
  };

  // Hands a photo to Gradio's own upload of the tab in view. Its old photo goes first, and so
  // does another source: only the upload has an input for files.
  const handOver = async (file) => {
    const box = [...document.querySelectorAll(".photo-input")].find((box) => box.offsetParent);
    const input = () => box.querySelector("input[type=file]");
    if (!box) return;
    box.querySelector("button[aria-label='Remove Image']")?.click();
    for (let tries = 0; tries < 200; tries++) {
      await new Promise((done) => setTimeout(done, 25));
      if (input()) break;
      if (tries % 20 === 0) box.querySelector("button[aria-label='Upload file']")?.click();
    }
    if (!input()) return;
    const files = new DataTransfer();
    files.items.add(typed(file));
    input().files = files.files;
    input().dispatchEvent(new Event("change", {bubbles: true}));
  };

  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!input.matches?.(".photo-input input[type=file]") || !input.files.length) return;
    const fixed = typed(input.files[0]);
    if (fixed === input.files[0]) return;
    event.stopImmediatePropagation();
    handOver(fixed);
  }, true);

  document.addEventListener("click", (event) => {
    event.target.closest?.(".photo-input")?.querySelector("input[type=file]")
      ?.setAttribute("accept", PICKER);
  }, true);

  const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  document.addEventListener("dragover", (event) => {
    if (holdsFile(event)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const file = event.dataTransfer?.files[0];
    if (!file) return;
    const known = event.target.closest?.(".photo-input") && typed(file) === file;
    if (known || event.target.closest?.(".video-input")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    handOver(file);
  }, true);

  document.addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea")) return;
    const file = [...(event.clipboardData?.files ?? [])].find((f) => f.type.startsWith("image/"));
    if (file) handOver(file);
  });

  // A photo that the browser cannot show (HEIC, TIFF, a damaged one) says so in its own place.
  const mark = (event, broken) => {
    if (event.target.matches?.(".photo-input img")) {
      event.target.closest(".photo-input").classList.toggle("no-preview", broken);
    }
  };
  document.addEventListener("error", (event) => mark(event, true), true);
  document.addEventListener("load", (event) => mark(event, false), true);

  // Captions: everything about every word is in the page; see web/captions/words.py.
  const showOnly = (attribute, value) => {
    for (const part of document.querySelectorAll(`[data-${attribute}]`)) {
      part.hidden = part.dataset[attribute] !== value;
    }
  };
  const press = (attribute, value) => {
    for (const button of document.querySelectorAll(`[data-${attribute}]`)) {
      button.setAttribute("aria-pressed", button.dataset[attribute] === value);
    }
  };
  const chooseWord = (key) => {
    press("word", key);
    showOnly("why", key);
  };

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch { // no permission, or a page that did not come by HTTPS
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-word], [data-caption], [data-copy]");
    if (!button) return;
    const {word, caption, copy: text} = button.dataset;
    if (word) chooseWord(button.getAttribute("aria-pressed") === "true" ? "" : word);
    if (caption) {
      chooseWord("");
      press("caption", caption);
      showOnly("told", caption);
    }
    if (text) {
      await copy(text);
      const said = button.parentElement.querySelector("[role=status]");
      button.classList.add("done");
      said.textContent = "Copied";
      setTimeout(() => {
        button.classList.remove("done");
        said.textContent = "";
      }, 1500);
    }
  });

  // Screen readers read out what changes in a region that was there before, and not always one that
  // comes with its text. So this one stays, and repeats what arrives anywhere as `data-said`.
  const region = document.createElement("div");
  region.className = "unseen";
  region.setAttribute("role", "status");
  region.id = "said";
  const told = new WeakMap();
  const tell = () => {
    if (!region.isConnected) document.body.append(region);
    const news = [];
    for (const part of document.querySelectorAll("[data-said]")) {
      const text = part.innerText.trim().replace(/\n+/g, ". ").replace(/\s+/g, " ");
      if (!part.checkVisibility() || told.get(part) === text) continue;
      told.set(part, text);
      news.push(text);
    }
    if (!news.length) return;
    region.textContent = ""; // so that the same text is said again too
    setTimeout(() => { region.textContent = news.join(". "); }, 100);
  };
  let waiting;
  new MutationObserver(() => {
    waiting ??= setTimeout(() => { waiting = undefined; tell(); }, 100);
  }).observe(document, {childList: true, subtree: true});

  // Left and right step through a caption's words.
  document.addEventListener("keydown", (event) => {
    const step = {ArrowLeft: "previousElementSibling", ArrowRight: "nextElementSibling"}[event.key];
    const next = step && event.target.closest?.("[data-word]")?.[step];
    if (!next) return;
    event.preventDefault();
    next.focus();
    chooseWord(next.dataset.word);
  });
})();
