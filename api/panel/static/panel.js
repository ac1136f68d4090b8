// Keeps a page as the server would render it now: again at each event, and at an interval for what no
// event tells of (tasks, health). Without this script the page is the same, once.
"use strict";

const DEBOUNCE_MS = 150;
const BUSY_MS = 2000;
const IDLE_MS = 15000;

const live = document.getElementById("live");
const connection = document.getElementById("connection");
let timer = 0;
let fetching = false;
let again = false;

function say(text) {
  connection.hidden = false;
  if (connection.textContent !== text) connection.textContent = text;
}

function schedule(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(refresh, milliseconds);
}

function later() {
  schedule(live.querySelector("[data-busy]") ? BUSY_MS : IDLE_MS);
}

async function refresh() {
  if (fetching) {
    again = true;
    return;
  }
  if (document.hidden) return;
  fetching = true;
  try {
    const answer = await fetch(live.dataset.fragment, { cache: "no-store", headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error(answer.statusText);
    replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    say("out of date: the platform does not answer");
  } finally {
    fetching = false;
    if (again) schedule(DEBOUNCE_MS);
    else later();
    again = false;
  }
}

// Only sections that differ are replaced, so that focus, selection and opened logs stay where they can.
function replace(fresh) {
  const root = fresh.getElementById("sections");
  const here = document.getElementById("sections");
  const known = [...here.children].map((section) => section.id).join();
  here.toggleAttribute("data-busy", root.hasAttribute("data-busy"));
  if (known !== [...root.children].map((section) => section.id).join()) {
    here.replaceWith(document.adoptNode(root));
    return;
  }
  for (const section of [...root.children]) {
    const old = document.getElementById(section.id);
    if (!old.isEqualNode(keepOpen(old, section))) swap(old, section);
  }
}

function keepOpen(old, section) {
  for (const details of old.querySelectorAll("details[id]")) {
    const same = section.querySelector(`#${CSS.escape(details.id)}`);
    if (same) same.open = details.open;
  }
  return section;
}

function swap(old, section) {
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const links = focused ? [...old.querySelectorAll("a[href], summary")] : [];
  const place = links.indexOf(focused);
  old.replaceWith(document.adoptNode(section));
  if (place >= 0) section.querySelectorAll("a[href], summary")[place]?.focus({ preventScroll: true });
}

function heard(message) {
  const event = JSON.parse(message.data);
  say(`${event.type.replace("dev.ordain.", "").replace(".", " ")}: ${event.subject}`);
  schedule(DEBOUNCE_MS);
}

if (live) {
  const source = new EventSource(live.dataset.events);
  source.onopen = () => say("live");
  source.onerror = () => say("reconnecting");
  source.onmessage = heard;
  document.addEventListener("visibilitychange", () => document.hidden || schedule(0));
  later();
}
