// The static site: starts the two views, which need no server, and switches between them.

const given = await (await fetch(new URL("given.json", import.meta.url))).json();
const site = new URL("../", import.meta.url); // wherever the folder is served
for (const group of ["engine", "models", "scripts"]) {
  given.device[group] = new URL(given.device[group], site).href;
}

const save = async ({name, url}) => {
  const link = Object.assign(document.createElement("a"), {
    href: URL.createObjectURL(await (await fetch(url)).blob()), download: name,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
};

const page = {...given, server: null, save};
const tabs = [...document.querySelectorAll("[role=tab]")];
const open = (tab) => {
  for (const one of tabs) {
    const chosen = one === tab;
    one.setAttribute("aria-selected", String(chosen));
    one.tabIndex = chosen ? 0 : -1;
    document.getElementById(one.getAttribute("aria-controls")).hidden = !chosen;
  }
  const address = new URL(location.href);
  const view = tab.getAttribute("aria-controls");
  if (view === "live") address.searchParams.delete("view");
  else address.searchParams.set("view", view);
  history.replaceState(null, "", address);
};
for (const tab of tabs) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", ({key}) => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[key];
    if (!step) return;
    const next = tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length];
    open(next);
    next.focus();
  });
}
const asked = new URLSearchParams(location.search).get("view");
const wanted = tabs.find((tab) => tab.getAttribute("aria-controls") === asked);
if (wanted) open(wanted);

const start = async (id, name) => {
  const element = document.getElementById(id);
  try {
    const {[name]: View} = await import(`${given.device.scripts}page.js`);
    new View(element, page);
  } catch (error) {
    console.error(error);
    element.querySelector("[data-failed]").textContent = "A part of the page could not be loaded. Reload it.";
  }
};
await Promise.all([
  start("live", "LiveView"), start("photo", "PhotoView"),
]);
