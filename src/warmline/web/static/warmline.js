"use strict";
(() => {
  const call = document.querySelector(".call");
  const sound = document.getElementById("sound");
  const all = (what, inside = document) => [...inside.querySelectorAll(what)];
  const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
  let unfolded = [];  // what is printed whole, and folded again
  addEventListener("beforeprint", () => {
    unfolded = all("details.weeks:not([open])");
    for (const each of unfolded) each.open = true;
  });
  addEventListener("afterprint", () => { for (const each of unfolded) each.open = false; });
  foldMenus();
  const shown = new IntersectionObserver((entries) => {  // once it is laid out, and asks for nothing
    for (const { isIntersecting, target } of entries) if (isIntersecting) tellOfMore(target);
  });
  for (const wide of all(".wide")) shown.observe(wide);
  for (const button of all("[data-print]")) button.addEventListener("click", () => print());
  keepInSight();
  playClips();
  keepForms();
  offerNames();
  if (!call) return;
  const id = encodeURIComponent(call.dataset.call);
  const total = Number(call.dataset.duration);
  const track = document.getElementById("track");
  const head = track && track.querySelector(".playhead");
  const turns = all("#turns > li").map((el) => ({
    el, start: Number(el.dataset.start), end: Number(el.dataset.end), words: [],
    name: el.querySelector(".party-name").textContent,
  }));
  const excerpts = all(".around > li");
  const silences = all("[data-silence]").map((el) => [Number(el.dataset.t), Number(el.dataset.end)]);
  const rates = [0.75, 1, 1.25, 1.5, 2];
  let chosen = null, skips = false, loops = false, current = null, played = 0, before = null;
  let since = 0, until = null, places = [];  // where what is heard begins and ends; what comes then
  let run = null;  // what passages are heard for: a place, the key h, all; none, the call itself
  let begun = () => {}, quiet = () => {};  // what is told of each passage that begins; of the end
  let aimed = null, asked = null;  // where a seek goes; the feeling that was asked for last

  let isTurn = false;  // whether what is heard ends with a turn
  const stopped = document.querySelector(".stopped");
  const say = (text) => { if (stopped && stopped.textContent !== text) stopped.textContent = text; };
  const control = (name) => document.querySelector(`[data-do="${name}"]`);

  // Passages of the call, one after the other; then it is silent again. What two share is heard once.
  function hear(list, why, heard = null) {
    const [place, ...rest] = list;
    if (!place) return;
    const from = Number(place.dataset.from), goesOn = heard && from >= heard[0] && from < heard[1];
    seek(goesOn ? Math.min(heard[1], Number(place.dataset.stop)) : from, true);
    since = goesOn ? heard[0] : from;
    if (!sound) {
      const turn = turnAt(Number(place.dataset.t));
      if (turn) reveal(turn.el, "nearest");
      return;
    }
    run = why;
    chosen = [Number(place.dataset.t), Number(place.dataset.end)];
    until = Number(place.dataset.stop);
    places = rest;
    begun(place);
  }
  function seek(t, plays, end) {
    until = null;
    isTurn = false;
    run = null;
    say("");
    places = [];
    chosen = end ? [t, end] : null;
    asked = null;
    if (sound) {
      aimed = t;
      const go = () => { sound.currentTime = Math.max(0, t - (end ? 0.15 : 0)); };
      if (sound.readyState >= 1) go(); else sound.addEventListener("loadedmetadata", go, { once: true });
      if (plays) sound.play().catch(() => {});
    }
    show(t);
  }
  function turnAt(t) {  // in a pause, the turn before it; of two at once, the one that goes on
    let found = null;
    for (const turn of turns) {
      if (turn.start > t + 0.05) break;
      if (!found || turn.end > t || turn.end >= found.end) found = turn;
    }
    return found;
  }
  function show(t) {
    if (head && total) head.style.left = `${100 * Math.min(1, t / total)}%`;
    const turn = turnAt(t);
    if (turn !== current) {
      const left = current;
      if (left) { left.el.classList.remove("now"); left.el.removeAttribute("aria-current"); }
      current = turn;
      for (const each of excerpts) each.classList.toggle("now", Boolean(turn) && each.dataset.turn === turn.el.dataset.turn);
      if (turn) {
        turn.el.classList.add("now");
        turn.el.setAttribute("aria-current", "true");
        if (sound && !sound.paused && isFollowed(left || turn)) reveal(turn.el, "nearest");
      }
    }
    highlight(t);
    for (const field of all("input.now:not([data-own])")) field.value = clock(t);
  }
  function isFollowed({ el }) {  // whoever reads or clicks elsewhere on the page stays there
    if (el.closest(".scrolls")) return true;
    const { top, bottom } = el.getBoundingClientRect();
    return bottom > 0 && top < innerHeight;
  }
  function reveal(el, block) {
    const box = el.closest(".scrolls");  // a form that is being filled in beside it stays in place
    if (!box) { el.scrollIntoView({ block }); return; }
    const there = el.getBoundingClientRect(), seen = box.getBoundingClientRect();
    if (there.top < seen.top || there.bottom > seen.bottom) {
      box.scrollTop += there.top - seen.top - (seen.height - there.height) / 3;
    }
  }
  function highlight(t) {
    if (!window.Highlight || !CSS.highlights) return;
    CSS.highlights.delete("word");
    const word = current && current.words.find((w) => w.start <= t && t < w.end);
    const node = word && current.el.querySelector(".words").firstChild;
    if (!node || word.to > node.length) return;
    const range = new Range();
    range.setStart(node, word.from);
    range.setEnd(node, word.to);
    CSS.highlights.set("word", new Highlight(range));
  }
  function tick() {
    const t = sound.currentTime;
    if (!sound.paused) {
      if (before !== null && t > before && t - before < 2) played += t - before;
      if (skips) {
        const inside = silences.find(([a, b]) => t > a + 0.3 && t < b - 0.5);
        if (inside) sound.currentTime = inside[1] - 0.3;
      }
      const stretch = loops && (chosen || (current && [current.start, current.end]));
      if (until !== null && aimed === null && t >= until && !loops) {
        if (places.length) hear(places, run, [since, until]);
        else {
          until = run = null;
          sound.pause();
          if (isTurn) say(stopped.dataset.stopped);
        }
      } else if (stretch && t >= stretch[1] + 0.1) sound.currentTime = Math.max(0, stretch[0] - 0.15);
    }
    before = t;
    show(t);
    if (played >= 10) report();
  }
  function report() {
    if (played < 0.5) return;
    const body = new URLSearchParams({ id: call.dataset.call, seconds: played.toFixed(1) });
    played = 0;
    navigator.sendBeacon("/call/played", body);
  }
  function cue(step) {
    const starts = all("[data-cue]").map((el) => Number(el.dataset.t)).sort((a, b) => a - b);
    const t = aimed ?? (sound ? sound.currentTime : 0);
    // Within the second that leads in to a feeling, it is the one that was asked for last.
    const at = starts.includes(asked) && t >= asked - 1.05 && t <= asked ? asked : null;
    const next = step > 0
      ? starts.find((s) => s > (at ?? t + 0.5))
      : starts.reverse().find((s) => s < (at ?? t - 1.5));
    if (next === undefined) return;
    seek(Math.max(0, next - 1), true);
    asked = next;
  }
  function speed(step) {
    const at = Math.max(0, Math.min(rates.length - 1, rates.indexOf(sound.playbackRate) + step));
    sound.playbackRate = rates[at];
    control("speed").value = String(rates[at]);
  }
  function zoom(factor) {
    const now = Number(track.dataset.zoom || 1);
    const next = Math.max(1, Math.min(32, now * factor));
    track.dataset.zoom = next;
    track.style.width = `${next * 100}%`;
    if (sound && total) {
      const box = track.parentElement;
      box.scrollLeft = (sound.currentTime / total) * track.scrollWidth - box.clientWidth / 2;
    }
  }
  let gains = null;
  function mute(button) {
    if (!gains) {  // only now: until then the browser plays by itself
      const context = new AudioContext();
      const parted = context.createChannelSplitter(2);
      context.createMediaElementSource(sound).connect(parted);
      gains = [0, 1].map((channel) => {
        const gain = context.createGain();
        parted.connect(gain, channel);
        gain.connect(context.destination);
        return gain;
      });
    }
    const off = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(off));
    gains[Number(button.dataset.channel)].gain.value = off ? 0 : 1;
  }
  const acts = {
    mute,
    play: () => (sound.paused ? sound.play().catch(() => {}) : sound.pause()),
    back: () => seek(Math.max(0, sound.currentTime - 3), false),
    on: () => seek(Math.min(total, sound.currentTime + 3), false),
    cue: () => cue(1),
    "cue-before": () => cue(-1),
    slower: () => speed(-1),
    faster: () => speed(1),
    skip: () => { control("skip").checked = skips = !skips; },
    loop: () => { control("loop").checked = loops = !loops; },
    keys: () => document.getElementById("keys").showModal(),
    "zoom-in": () => zoom(2),
    "zoom-out": () => zoom(0.5),
  };
  const keys = {
    " ": "play", k: "play", j: "back", l: "on", n: "cue", p: "cue-before",
    "<": "slower", ">": "faster", s: "skip", o: "loop", "?": "keys",
  };

  document.addEventListener("click", (event) => {
    const doing = event.target.closest("button[data-do]");
    if (doing) { acts[doing.dataset.do](doing); return; }
    const time = event.target.closest("#turns .time");
    const turn = time ? turnOf(time) : event.target.matches(".spoken") && underPointer(event);
    if (turn) { event.preventDefault(); hearTurn(turn); return; }
    const place = event.target.closest("[data-t]");
    if (place) {
      event.preventDefault();
      if (place.dataset.stop) { hear([place], "place"); return; }
      const t = Number(place.dataset.t);
      history.replaceState(null, "", `#t=${t.toFixed(1)}`);
      seek(t, true, Number(place.dataset.end) || undefined);
      if (place.closest("[data-turn]")) stopWithTurn(turnOf(place).end);
      return;
    }
    const text = event.target.closest(".words");
    if (text && String(getSelection()) === "") hearWord(text, event);
  });
  function underPointer({ target, clientX }) {  // a turn of the lane; short ones are drawn wider
    const box = track.getBoundingClientRect(), t = (total * (clientX - box.left)) / box.width;
    return turns.findLast((turn) => turn.start <= t + 0.01 && turn.name === target.dataset.name);
  }
  function hearTurn(turn) {
    history.replaceState(null, "", `#t=${turn.start.toFixed(1)}`);
    seek(turn.start, true, turn.end);
    stopWithTurn(turn.end);
  }
  function hearWord(text, event) {
    const turn = turnOf(text);
    if (!turn) return;
    let offset = -1;
    if (document.caretPositionFromPoint) {
      const caret = document.caretPositionFromPoint(event.clientX, event.clientY);
      if (caret) offset = caret.offset;
    } else if (document.caretRangeFromPoint) {
      offset = document.caretRangeFromPoint(event.clientX, event.clientY).startOffset;
    }
    const word = turn.words.find((each) => each.from <= offset && offset <= each.to);
    if (word) seek(word.start, true, word.end); else seek(turn.start, true, turn.end);
    stopWithTurn(turn.end);
  }
  function stopWithTurn(end) {  // Space goes on
    until = end + 0.1;
    isTurn = true;
  }
  function turnOf(part) {  // in the transcript, or in an excerpt of it
    const { turn } = part.closest("[data-turn]").dataset;
    return turns.find((each) => each.el.dataset.turn === turn);
  }
  document.addEventListener("selectionchange", () => {
    const chosenText = String(getSelection());
    const item = getSelection().anchorNode && getSelection().anchorNode.parentElement;
    if (!chosenText || !item || !item.closest("#turns")) return;
    for (const field of all("input.selected")) field.value = chosenText.slice(0, 2000);
  });
  document.addEventListener("input", (event) => {
    if (event.target.matches("input.now")) event.target.dataset.own = "1";
  });
  const letters = document.getElementById("letters");
  letters.checked = localStorage.getItem("keys") !== "off";
  letters.addEventListener("change", () => localStorage.setItem("keys", letters.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => {
    if (!letters.checked) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typed = "input:not([type=checkbox], [type=radio]), textarea, select, dialog[open], audio";
    if (event.target.closest(typed)) return;
    if (answers && answers(event)) return;
    const act = keys[event.key];
    if (!act || (event.key === " " && event.target.closest("button, summary, a, input"))) return;
    if (!sound && act !== "keys") return;
    event.preventDefault();
    acts[act]();
  });

  const answers = scoring(document.getElementById("scoring"));
  function scoring(form) {  // a form for this call: its score, its keys, what was found for it
    if (!form) return null;
    const asks = all("fieldset[data-weight]", form), figure = form.querySelector(".figure");
    const left = form.querySelector(".open-ones"), take = form.querySelector("[data-take]");
    const told = form.querySelector(".told-now"), machines = form.querySelector(".machines");
    const filled = form.querySelector("#filled-in"), filledIn = filled && filled.textContent;
    const share = new Intl.NumberFormat(document.documentElement.lang, { style: "percent" });
    const said = (ask) => ask.querySelector("input[type=radio]:checked")?.value;
    const open = () => asks.filter((ask) => !said(ask));
    const offered = () => open().filter((ask) => ask.dataset.offered);
    const counted = (n, one, more) => (n === 1 ? one : more.replace("{n}", n));
    const isTaken = (ask) => ask.querySelector("input[name$='.by']")?.value === "machine";
    const taken = () => asks.filter((ask) => said(ask) && isTaken(ask));
    let now = null, last = -1;  // the question, and the place of it that was heard last
    let unfolded = null;  // the question of which all is shown
    let pointed = false, held = null;  // with a pointer; on an answer that was given before
    form.classList.add("one-at-a-time");
    function mark(ask, unfolds = true) {  // keys answer it; what plays from it moves nothing
      if (now !== ask) {
        if (now) now.classList.remove("asked");
        now = ask;
        last = -1;
        if (now) now.classList.add("asked");
        tell();
      }
      if (!unfolds || unfolded === ask) return;
      if (unfolded) unfolded.classList.remove("unfolded");
      unfolded = ask;
      if (ask) ask.classList.add("unfolded");
    }
    function count() {
      const applied = asks.filter((ask) => ["yes", "no"].includes(said(ask)));
      const sum = (some) => some.reduce((total, ask) => total + Number(ask.dataset.weight), 0);
      const failed = applied.some((ask) => ask.dataset.critical && said(ask) === "no");
      const earned = sum(applied.filter((ask) => said(ask) === "yes")), possible = sum(applied);
      const n = open().length;
      figure.textContent = n ? "" : possible ? share.format(failed ? 0 : earned / possible) : "–";
      if (!n) left.classList.remove("problem");
      const of = counted(n, left.dataset.one, left.dataset.left).replace("{all}", left.dataset.all);
      left.textContent = failed ? `${left.dataset.failed} ${n ? of : left.dataset.none}` : n ? of : left.dataset.none;
      tellOfMachine();
      if (!take) return;
      take.hidden = !offered().length;
      take.textContent = counted(offered().length, take.dataset.takeOne, take.dataset.take);
    }
    function tellOfMachine() {  // whose answers they are that a person has not given
      const found = taken(), firsts = found.map(firstPlace).filter(Boolean);
      machines.hidden = !found.length;
      if (filled) {
        const those = all("fieldset", filled.parentElement), areOwn = !those.some(isTaken);
        const agreed = those.every((ask) => said(ask) === ask.dataset.offered);
        filled.textContent = !areOwn ? filledIn : agreed ? filled.dataset.agreed : filled.dataset.own;
      }
      const total = firsts.reduce((sum, place) => sum + stop(place) - from(place), 0);
      const { one, more, hear: hearing } = machines.dataset;
      machines.querySelector(".whose").textContent =
        counted(found.length, one, more).replace("{all}", asks.length);
      const play = machines.querySelector("[data-hear-machines]");
      if (!play) return;
      play.hidden = !firsts.length;
      play.textContent = `▶ ${hearing.replace("{s}", Math.round(total))}`;
    }
    const from = (place) => Number(place.dataset.from), stop = (place) => Number(place.dataset.stop);
    const firstPlace = (ask) => ask.querySelector("[data-stop]");
    // What is within a place before it is not heard again.
    const isNew = (place, at, all) => !all.slice(0, at)
      .some((each) => from(each) <= from(place) && stop(place) <= stop(each) + 1);
    const placesOf = (ask) => all(".evidence [data-stop]", ask).filter(isNew);
    function hearNext() {  // the place after the one heard last; after the last of them, the first
      const found = placesOf(now);
      if (!found.length || !sound) { tell(true); return; }
      hear(found.slice(last + 1 < found.length ? last + 1 : 0), "h");
    }
    function tell(isAsked) {  // what plays, or what h plays next
      const n = now ? placesOf(now).length : 0, i = last + 1, text = told.dataset;
      const which = i < n ? [text.plays, text.next] : [text.playsLast, text.again];
      const isHeard = i > 0 && run && !sound.paused;
      if (!n || !sound) told.textContent = isAsked ? text.nothing : "\u00a0";
      else if (!i) told.textContent = text.first;
      else told.textContent = which[isHeard ? 0 : 1].replace("{i}", i).replace("{n}", isHeard ? n : n - i);
    }
    begun = (place) => {
      for (const each of all(".hear-it.playing", form)) each.classList.remove("playing");
      place.classList.add("playing");
      const at = now ? placesOf(now).findIndex((each) => from(each) === from(place)) : -1;
      if (at >= 0) last = at;
      tell();
    };
    quiet = () => {
      if (!sound.paused) return;  // the next question's has begun
      for (const each of all(".hear-it.playing", form)) each.classList.remove("playing");
      tell();
    };
    function own(ask, by) {
      const field = form.elements.namedItem(`${ask.id.slice(2)}.by`);
      if (!field) return;
      field.value = by;
      for (const each of all(".taken", ask)) each.hidden = !by;
    }
    function agree(ask) {  // what the machine filled in is the person's own answer
      own(ask, "");
      form.dispatchEvent(new Event("input", { bubbles: true }));
      count();
      leave();
    }
    function goTo(ask) {
      mark(ask);
      ask.querySelector("input[type=radio]:checked, input[type=radio]").focus({ preventScroll: true });
      ask.scrollIntoView({ block: "nearest" });
    }
    function after(ask) {  // the next one without an answer; then those that are the machine's
      return open().find((each) => !ask || asks.indexOf(each) > asks.indexOf(ask)) || open()[0] || taken()[0];
    }
    function next() {
      const ask = after(now);
      if (ask) { goTo(ask); return; }
      mark(null);
      form.querySelector(".score-bar button").focus({ preventScroll: true });
    }
    function leave(step = next) {  // the sound of a question ends with it; with h, the next one's begins
      const goesOn = run === "h" && !sound.paused;
      if (sound && (run === "h" || run === "place")) {
        sound.pause();
        until = run = null;
        places = [];
      }
      step();
      if (goesOn && now && placesOf(now).length) hearNext();
    }
    function firstLeft() {  // wherever the question that is open stands
      mark(null);
      next();
    }
    form.addEventListener("click", (event) => {
      const agreed = event.target.closest("[data-agree]");
      if (agreed) { pointed = false; agree(agreed.closest("fieldset")); return; }
      const ask = event.target.closest("fieldset[data-weight]");
      if (ask) mark(ask, !event.target.closest("[data-t]"));
      if (ask && event.target === held && isTaken(ask)) { own(ask, ""); count(); }
    });
    form.addEventListener("focusin", (event) => {  // a pointer that is down has to meet what it aimed at
      const ask = event.target.closest("fieldset[data-weight]");
      if (!ask || pointed) return;
      mark(ask);
      event.target.scrollIntoView({ block: "nearest" });
    });
    form.addEventListener("change", (event) => {
      if (event.target.type !== "radio") return;
      const ask = event.target.closest("fieldset");
      own(ask, "");
      count();
      const other = after(ask);
      if (!pointed || !other) return;  // arrows go through the answers of one question
      leave(() => {
        mark(other);
        other.scrollIntoView({ block: "nearest" });
      });
    });
    form.addEventListener("pointerdown", (event) => {
      pointed = true;
      held = event.target.closest(".choice")?.querySelector("input:checked") || null;
    });
    form.addEventListener("keydown", () => { pointed = false; });
    for (const button of all("[data-hear-all]", form)) button.addEventListener("click", () => {
      const starts = new Map(all("[data-stop]", form).map((place) => [place.dataset.from, place]));
      hear([...starts.values()].sort((a, b) => a.dataset.from - b.dataset.from).filter(isNew), "all");
    });
    machines.addEventListener("click", (event) => {
      if (event.target.closest("[data-hear-machines]")) hear(taken().map(firstPlace).filter(Boolean), "all");
      else if (event.target.closest("[data-agree-first]") && taken().length) goTo(taken()[0]);
    });
    form.addEventListener("submit", (event) => {
      if (event.submitter?.value !== "final" || !open().length) return;
      event.preventDefault();  // what is left is shown; nothing is sent
      event.stopPropagation();
      left.classList.add("problem");
      firstLeft();
    });
    if (take) take.addEventListener("click", () => {
      pointed = false;
      for (const ask of offered()) {
        ask.querySelector(`input[value="${ask.dataset.offered}"]`).checked = true;
        own(ask, "machine");
      }
      form.dispatchEvent(new Event("input", { bubbles: true }));
      count();
      firstLeft();
    });
    left.addEventListener("click", (event) => { event.preventDefault(); firstLeft(); });
    count();
    mark(open()[0] || null);
    const answer = { 1: "yes", 2: "no", 3: "na", y: "yes", n: "no", a: "na" };
    return (event) => {
      if (event.key === "h" && now) { hearNext(); return true; }
      if (!answer[event.key] || !now) return Boolean(answer[event.key]);
      const choice = now.querySelector(`input[value="${answer[event.key]}"]`);
      if (!choice) { told.textContent = told.dataset.applies; return true; }
      event.preventDefault();
      pointed = false;
      if (choice.checked && isTaken(now)) { agree(now); return true; }
      choice.click();
      leave();
      return true;
    };
  }

  function fromAddress(plays) {
    const found = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
    if (!found) return;
    seek(Number(found[1]), plays);
    const turn = turnAt(Number(found[1]));
    if (turn) reveal(turn.el, "center");
  }
  addEventListener("hashchange", () => fromAddress(false));
  if (track) track.addEventListener("pointermove", (event) => {
    const turn = event.target.matches(".spoken") && underPointer(event);
    track.title = turn ? `${turn.name} ${clock(turn.start)}` : "";
  });

  if (sound) {
    control("speed").addEventListener("change", (event) => { sound.playbackRate = Number(event.target.value); });
    control("skip").addEventListener("change", (event) => { skips = event.target.checked; });
    control("loop").addEventListener("change", (event) => { loops = event.target.checked; });
    sound.addEventListener("timeupdate", tick);
    sound.addEventListener("seeked", () => { aimed = null; });
    sound.addEventListener("play", () => say(""));
    const frame = () => { if (!sound.paused) { tick(); requestAnimationFrame(frame); } };
    sound.addEventListener("play", frame);
    sound.addEventListener("pause", report);
    sound.addEventListener("pause", () => quiet());
    addEventListener("pagehide", report);
    let renewed = 0;
    sound.addEventListener("error", async () => {
      const at = sound.currentTime, plays = !sound.paused;
      if (Date.now() - renewed < 5000) return;
      renewed = Date.now();
      const answer = await fetch(`/call/sound-link?id=${id}`);
      if (!answer.ok) return;
      sound.src = (await answer.json()).sound;
      sound.currentTime = at;
      if (plays) sound.play().catch(() => {});
    });
  }
  async function draw() {
    const answer = await fetch(`/call/waveform?id=${id}`);
    if (!answer.ok) { await answer.text(); return; }
    const { columns, paths } = await answer.json();
    for (const svg of all(".wave")) {
      const path = paths[svg.dataset.party];
      if (!path) continue;
      svg.setAttribute("viewBox", `0 -128 ${columns} 256`);
      svg.firstElementChild.setAttribute("d", path);
    }
  }
  async function place() {
    const answer = await fetch(`/call/words?id=${id}`);
    if (!answer.ok) return;
    const words = await answer.json();
    for (const turn of turns) {
      const text = turn.el.querySelector(".words").textContent;
      let from = 0;
      for (const [word, start, end] of words[turn.el.dataset.turn] || []) {
        const at = text.indexOf(word, from);
        if (at < 0) continue;
        from = at + word.length;
        turn.words.push({ from: at, to: from, start, end });
      }
    }
    if (sound) highlight(sound.currentTime);
  }
  function playClips() {  // moments of other calls, where they are listed
    const bar = document.getElementById("clip");
    if (!bar) return;
    const audio = bar.querySelector("audio"), which = bar.querySelector(".which");
    let now = null, next = [], heard = 0, last = null, isLoaded = false;
    const listened = () => {
      if (now && heard >= 0.5) {
        const body = new URLSearchParams({ id: now.dataset.call, seconds: heard.toFixed(1) });
        navigator.sendBeacon("/call/played", body);
      }
      heard = 0;
    };
    const sign = (isPlaying) => now && now.classList.toggle("playing", isPlaying);
    audio.addEventListener("play", () => sign(true));
    audio.addEventListener("pause", () => sign(false));
    const stop = () => {
      listened();
      audio.pause();
      if (now) { sign(false); now.setAttribute("aria-pressed", "false"); }
      now = last = null;
      isLoaded = false;  // what is paused tells its old time once more
    };
    const then = () => { stop(); if (next.length) start(next.shift()); else bar.hidden = true; };
    async function start(button) {
      stop();
      now = button;
      const answer = await fetch(`/call/sound-link?id=${encodeURIComponent(button.dataset.call)}`);
      const { sound: link, problem } = answer.ok ? await answer.json() : { problem: await answer.text() };
      if (now !== button) return;
      bar.hidden = false;
      which.textContent = `${button.dataset.call} ${button.textContent.replace(/^\S+\s*/, "")}`;
      if (problem) { which.textContent += `: ${problem.replace(/<[^>]*>/g, "").trim()}`; now = null; return; }
      button.setAttribute("aria-pressed", "true");
      audio.src = link;
      audio.addEventListener("loadedmetadata", () => {
        if (now !== button) return;
        audio.currentTime = Number(button.dataset.start);
        isLoaded = true;
        audio.play().catch(() => {});
      }, { once: true });
    }
    audio.addEventListener("timeupdate", () => {
      if (!now || !isLoaded || audio.seeking) return;
      const t = audio.currentTime;
      if (last !== null && t > last && t - last < 2) heard += t - last;
      last = t;
      if (t >= Number(now.dataset.end)) then();
    });
    audio.addEventListener("ended", then);
    addEventListener("pagehide", listened);
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-clip], [data-play-all], [data-clip-stop]");
      if (!button) return;
      if (button === now && isLoaded) {
        if (audio.paused) audio.play().catch(() => {}); else audio.pause();
        return;
      }
      next = button.matches("[data-play-all]") ? all("[data-clip]") : [];
      if (button === now || button.matches("[data-clip-stop]")) { stop(); bar.hidden = true; }
      else start(button.matches("[data-clip]") ? button : next.shift());
    });
  }

  function keepInSight() {  // what gets the focus, or unfolds, does not lie under what stays in view
    const bars = all(".player, .score-bar, .clip-bar"), root = document.documentElement;
    const height = (bar) => (getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0);
    const most = (some) => `${Math.max(0, ...some.map(height)) + 8}px`;
    const isAbove = (bar) => bar.matches(".player");
    const watch = new ResizeObserver(() => {
      root.style.scrollPaddingTop = most(bars.filter(isAbove));  // inherited by nothing
      root.style.scrollPaddingBottom = most(bars.filter((bar) => !isAbove(bar)));
    });
    for (const bar of bars) watch.observe(bar);
    document.addEventListener("toggle", ({ target }) => {
      if (!target.open || !target.matches("details:not(.filter, .menu)")) return;
      if (!target.contains(document.activeElement)) return;
      target.lastElementChild.scrollIntoView({ block: "nearest" });
      target.firstElementChild.scrollIntoView({ block: "nearest" });
    }, true);
  }
  function foldMenus() {  // menus close on Escape, and when something else is chosen
    const pages = document.querySelector(".menu");
    const narrow = matchMedia("(max-width: 800px)");
    const fold = () => { if (pages) pages.open = !narrow.matches; };
    const open = () => all("details.filter[open], details.menu[open]")
      .filter((each) => each !== pages || narrow.matches);
    const leave = (event) => {
      for (const each of open()) if (!each.contains(event.target)) each.open = false;
    };
    fold();
    if (pages) pages.dataset.folds = "";  // from here on it is as it was left
    narrow.addEventListener("change", fold);
    document.addEventListener("pointerdown", leave);
    document.addEventListener("focusin", leave);
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      for (const each of open()) {
        if (each.contains(document.activeElement)) each.querySelector("summary").focus();
        each.open = false;
      }
    });
  }
  function tellOfMore(wide) {  // on a narrow screen, that there is more is not seen
    shown.unobserve(wide);
    if (wide.scrollWidth <= wide.clientWidth + 8) return;
    const hint = document.createElement("p");
    Object.assign(hint, { className: "about no-print", textContent: document.body.dataset.scrolls });
    wide.before(hint);
  }
  function offerNames() {  // of several between commas, the one that is being written
    const offer = ({ target }) => {
      if (!target.matches("input[data-several]")) return;
      const before = target.value.slice(0, target.value.lastIndexOf(",") + 1);
      for (const option of target.list.options) {
        option.dataset.name ??= option.value;
        option.value = before ? `${before} ${option.dataset.name}` : option.dataset.name;
      }
    };
    for (const kind of ["focusin", "input"]) document.addEventListener(kind, offer);
  }
  function keepForms() {  // what was filled in stays until it is kept, and what is wrong stands by it
    const busy = (form, button, is) => {
      for (const each of [form, button]) if (each) each.setAttribute("aria-busy", String(is));
    };
    let unsaved = false;
    document.addEventListener("input", (event) => {
      if (event.target.closest("form.scorecard")) unsaved = true;
    });
    addEventListener("beforeunload", (event) => {
      if (!unsaved) return;
      event.preventDefault();
      event.returnValue = "";  // older browsers ask only for this
    });
    function tell(form, name, text) {
      const page = new DOMParser().parseFromString(text, "text/html");
      const main = page.querySelector("main");
      if (main) {
        document.querySelector("main").replaceWith(main);
        const told = main.querySelector("[role=alert]:not(:empty)") || main;
        told.scrollIntoView({ block: "center" });
        return;
      }
      const line = document.createElement("p");
      Object.assign(line, { className: "problem told", textContent: page.body.textContent.trim() });
      line.setAttribute("role", "alert");
      const named = name && form.elements.namedItem(name);
      const field = named && named.type !== "hidden" ? named : null;
      if (!field) { form.append(line); line.scrollIntoView({ block: "nearest" }); return; }
      (field.closest("label") || field).after(line);
      field.setAttribute("aria-invalid", "true");
      field.focus();
    }
    function forget(form) {
      for (const line of all(".told", form)) line.remove();
      for (const field of all("[aria-invalid]", form)) field.removeAttribute("aria-invalid");
    }
    document.addEventListener("submit", async (event) => {
      const form = event.target, button = event.submitter;
      if (form.method !== "post" || form.matches("[hx-post], .who, .door form")) return;
      event.preventDefault();
      if (form.getAttribute("aria-busy") === "true") return;
      const body = new URLSearchParams(new FormData(form, button));
      const wasUnsaved = unsaved, isScorecard = form.matches(".scorecard");
      forget(form);
      busy(form, button, true);
      if (isScorecard) unsaved = false;  // it is on its way, and whoever leaves now loses nothing
      try {
        const answer = await fetch(form.getAttribute("action"), {
          method: "POST", body, headers: { "X-Form": "1" },
          keepalive: String(body).length < 60000,  // whoever leaves the page at once loses nothing
        });
        const to = answer.headers.get("X-Go");
        if (!to) {
          unsaved = wasUnsaved;
          tell(form, answer.headers.get("X-Field"), await answer.text());
          return;
        }
        const goal = new URL(to, location.href);
        const isHere = goal.pathname + goal.search === location.pathname + location.search;
        location.assign(goal);
        if (isHere && goal.hash) location.reload();
      } catch (error) {
        unsaved = wasUnsaved;
        tell(form, null, String(error.message || error));
      } finally {
        busy(form, button, false);
      }
    });
    const sender = (event) => event.detail.requestConfig.elt;
    document.addEventListener("htmx:beforeRequest", (event) => {
      forget(sender(event));
      busy(sender(event), event.detail.requestConfig.triggeringEvent?.submitter, true);
    });
    document.addEventListener("htmx:afterRequest", (event) => {
      busy(sender(event), event.detail.requestConfig.triggeringEvent?.submitter, false);
    });
    document.addEventListener("htmx:beforeSwap", (event) => {
      const { xhr } = event.detail;
      if (xhr.status < 400 || !sender(event).matches("form")) return;
      event.detail.shouldSwap = false;
      tell(sender(event), xhr.getResponseHeader("X-Field"), xhr.responseText);
    });
  }

  fromAddress(false);
  const idle = window.requestIdleCallback || setTimeout;
  idle(() => {  // the page is read and used before that is there
    place();
    if (track && track.dataset.waveform) draw();
  }, { timeout: 1000 });
})();
