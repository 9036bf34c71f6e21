// The fleet page: asks for fleet.json every five seconds while the page can be seen, and draws it.
// All texts reach the page through textContent: nothing in them is ever read as HTML.
"use strict";

(() => {
  const REFRESH_SECONDS = 5;
  const TYPING_MS = 300;
  const PHASES = {
    waiting: "not launched yet; the reasons are below",
    launching: "queued just now, about to be launched",
    starting: "launched; its container starts",
    running: "Airflow's worker runs in it",
    ending: "cleared; its container is being stopped",
  };
  const COLUMNS = [
    ["phase", "Phase"],
    ["age", "In phase for"],
    ["dag", "Dag"],
    ["task", "Task"],
    ["run", "Dag run"],
    ["try", "Try"],
    ["queue", "Queue"],
    ["scheduler", "Scheduler"],
    [null, "ECS task"],
  ];
  const STORED = "ecs-fleet";
  const airflow = new URL("../", window.location.href);
  const byId = (id) => document.getElementById(id);

  const start = { text: "", phase: "", queue: "", sort: "phase", descending: false, page: 0 };
  const state = { ...start, ...stored() };
  let shown = null; // the last answer
  let shownAt = null;
  let timer = null;
  let latest = 0; // the number of the last request; answers to earlier ones are dropped

  // --- small things ----------------------------------------------------------------------------------------

  function stored() {
    try {
      const found = JSON.parse(window.sessionStorage.getItem(STORED) ?? "{}");
      return Object.fromEntries(Object.keys(start).filter((key) => key in found).map((key) => [key, found[key]]));
    } catch {
      return {};
    }
  }

  function store() {
    try {
      const kept = Object.fromEntries(Object.keys(start).map((key) => [key, state[key]]));
      window.sessionStorage.setItem(STORED, JSON.stringify(kept));
    } catch {
      // storage is switched off: a reload forgets the filters
    }
  }

  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name in element) element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  function age(seconds) {
    if (seconds === null || seconds === undefined) return "";
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
    return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
  }

  const count = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

  // Airflow shows this page in a sandboxed frame, which may open no window and may not leave its place. So a click
  // on a link to Airflow or AWS is made again in Airflow's own document.
  function link(text, address) {
    const element = make("a", { textContent: text, href: address });
    const follow = (event) => {
      if (window.parent === window) return;
      let outer;
      try {
        outer = window.parent.document;
      } catch {
        return;
      }
      event.preventDefault();
      const other = outer.createElement("a");
      other.href = address;
      const leaves = new URL(address).origin !== window.location.origin;
      if (leaves || event.ctrlKey || event.metaKey || event.shiftKey || event.button === 1) other.target = "_blank";
      other.rel = "noopener";
      outer.body.append(other);
      other.click();
      other.remove();
    };
    element.addEventListener("click", follow);
    element.addEventListener("auxclick", (event) => event.button === 1 && follow(event));
    return element;
  }

  const inAirflow = (path) => new URL(path, airflow).href;
  const taskName = (each) => (each.map_index === null ? each.task : `${each.task} [${each.map_index}]`);

  function table(name, columns, rows) {
    const heads = columns.map(([title, kind]) => make("th", { scope: "col", className: kind ?? "" }, title));
    const body = make("tbody", { role: "rowgroup" }, ...rows);
    // The roles keep it a table for screen readers, on phones too, where its rows are drawn as cards.
    return make(
      "table",
      { role: "table", "aria-label": name },
      make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads)),
      body,
    );
  }

  function row(columns, cells) {
    const made = cells.map((cell, index) => {
      const [title, kind] = columns[index];
      const element = make("td", { role: "cell", className: kind ?? "" });
      const label = title instanceof Node ? title.textContent : title;
      if (label !== "" && label !== "Phase") element.dataset.label = label; // a phase needs no name
      if (cell !== null && cell !== undefined && cell !== "") element.append(cell);
      return element;
    });
    return make("tr", { role: "row" }, ...made);
  }

  // Draws a part again only if its data has changed, so that what a user has opened or marked stays so; the
  // focus returns to the same control.
  const drawn = new Map();
  function draw(id, data, parts) {
    const text = JSON.stringify(data);
    if (drawn.get(id) === text) return;
    drawn.set(id, text);
    const place = byId(id);
    const focused = place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    const open = new Set([...place.querySelectorAll("details[open]")].map((each) => each.dataset.key));
    place.replaceChildren(...parts());
    for (const each of place.querySelectorAll("details")) each.open = open.has(each.dataset.key);
    if (focused !== undefined) place.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  function keyed(element, key) {
    element.dataset.key = key;
    return element;
  }

  const quiet = (text) => make("p", { className: "quiet", textContent: text });

  // --- the parts of the page -------------------------------------------------------------------------------

  function drawPhases(fleet) {
    draw("phases", [fleet.phases, state.phase], () =>
      Object.entries(PHASES).map(([phase, what]) => {
        const button = make(
          "button",
          { type: "button", className: phase, "aria-pressed": String(state.phase === phase) },
          make("span", { className: "number", textContent: fleet.phases[phase].toLocaleString("en") }),
          make("span", { className: "phase", textContent: phase }),
          make("span", { className: "what", textContent: what }),
        );
        button.addEventListener("click", () => {
          change({ phase: state.phase === phase ? "" : phase });
          if (state.phase !== "") byId("tasks").scrollIntoView({ behavior: "smooth", block: "start" });
        });
        return make("li", {}, keyed(button, phase));
      }),
    );
  }

  function schedulerState(each) {
    if (each.silent) return ["bad", `silent for ${age(each.age)}: it may be dead`];
    if (each.paused !== null) return ["bad", `paused for ${age(each.paused_for)}: ${each.paused}`];
    if (each.engine === null) return ["bad", "its engine doesn't answer; the scheduler's log says why"];
    if (each.engine.unanswered !== null && each.engine.unanswered >= 30) {
      return ["bad", `ECS has given no usable answer for ${age(each.engine.unanswered)}`];
    }
    if (each.engine.throttles > 0) return ["warn", "AWS throttles its launches"];
    if (each.slots >= each.parallelism) return ["warn", "all of its slots are in use"];
    return ["", "all is well"];
  }

  function drawSchedulers(fleet) {
    const columns = [
      ["Scheduler"],
      ["State", "long"],
      // The words of `ecs-async status`.
      ["Launched", "number"],
      ["Rate", "number"],
      ["Throttled", "number"],
      ["Waiting", "number"],
      ["Watched", "number"],
      ["Slots", "number"],
      ["Updated", "number"],
    ];
    draw("schedulers", fleet.schedulers, () => {
      if (fleet.schedulers.length === 0) {
        return [quiet("No scheduler has reported in the last quarter of an hour. Each reports within ten seconds of its start.")];
      }
      const rows = fleet.schedulers.map((each) => {
        const engine = each.engine;
        const [kind, text] = schedulerState(each);
        const name = `${each.job_id}${each.team === null ? "" : `, team ${each.team}`}`;
        const who = make("span", {}, make("span", { className: "strong", textContent: name }), ` ${each.host}`);
        const full = each.slots >= each.parallelism;
        const slots = make("span", { className: full ? "warn" : "", textContent: `${each.slots} of ${each.parallelism}` });
        const rate = engine && (engine.rate === null ? "no limit" : `${engine.rate.toFixed(1)}/s${engine.limit === null ? "" : ` of ${engine.limit}/s`}`);
        return row(columns, [
          who,
          make("span", { className: kind, textContent: text }),
          engine && String(engine.launches),
          rate,
          engine && make("span", { className: engine.throttles ? "warn" : "", textContent: String(engine.throttles) }),
          engine && String(engine.waiting),
          engine && String(engine.watched),
          slots,
          `${age(each.age)} ago`,
        ]);
      });
      return [table("Schedulers", columns, rows), quiet("These numbers count the tasks of all Dags.")];
    });
  }

  function standbyState(each) {
    if (each.silent) return ["bad", "its scheduler is silent: without it, they end within four minutes"];
    if (each.rests !== null) return ["bad", "its tasks start cold", each.rests];
    if (each.ready === 0) return ["warn", each.starting > 0 ? "none is ready: tasks start cold meanwhile" : "none is kept: there may be no room"];
    return ["", "ready"];
  }

  function drawStandbys(fleet) {
    const columns = [
      ["Queue"],
      ["State", "long"],
      ["Wanted", "number"],
      ["Starting", "number"],
      ["Ready", "number"],
      ["Oldest", "number"],
      ["Warm starts", "number"],
      ["Cold starts"],
      ["One has"],
      ["Idle so far, US dollars", "number"],
      ["Idle now, US dollars a month", "number"],
    ];
    const money = (number) => (number === null ? "not known" : number.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 }));
    byId("standbys-section").hidden = fleet.standbys.length === 0;
    draw("standbys", fleet.standbys, () => {
      const rows = fleet.standbys.map((each) => {
        const key = `${each.scheduler} ${each.team} ${each.pool}`;
        const [kind, text, why] = standbyState(each);
        let told = make("span", { className: kind, textContent: text });
        if (why !== undefined) {
          told = keyed(make("details", {}, make("summary", { className: kind, textContent: text }), make("p", { textContent: why })), `why ${key}`);
        }
        let cold = make("span", { textContent: each.cold.toLocaleString("en") });
        if (each.why_cold.length > 0) {
          const list = each.why_cold.map(({ reason, tasks }) => make("li", { textContent: `${tasks.toLocaleString("en")}: ${reason}` }));
          cold = keyed(make("details", {}, make("summary", { textContent: each.cold.toLocaleString("en") }), make("ul", {}, ...list)), `cold ${key}`);
        }
        const scheduler = ` scheduler ${each.scheduler}${each.team === null ? "" : `, team ${each.team}`}`;
        const size = each.vcpus === null ? null : `${each.vcpus} vCPU, ${each.gb} GB${each.capacity === null ? "" : `, ${each.capacity}`}`;
        return row(columns, [
          make("span", {}, make("span", { className: "strong", textContent: each.pool }), scheduler),
          told,
          String(each.wanted),
          String(each.starting),
          make("span", { className: each.ready === 0 ? "warn" : "", textContent: String(each.ready) }),
          age(each.oldest),
          each.warm.toLocaleString("en"),
          cold,
          size,
          each.idle_seconds === null ? null : money(each.dollars),
          each.idle_seconds === null ? null : money(each.dollars_a_month),
        ]);
      });
      const unpriced = fleet.standbys.some((each) => each.idle_seconds !== null && each.dollars === null);
      const note = "Starts and costs since the start of each scheduler's engine; the price of one that runs a task is that task's.";
      return [table("Standbys", columns, rows), quiet(unpriced ? `${note} The option task_prices sets a price that is not known.` : note)];
    });
  }

  function drawWaits(fleet) {
    const columns = [["Reason", "long"], ["Tasks", "number"], ["Longest", "number"], ["For example"]];
    draw("waits", [fleet.waits, fleet.scheduled], () => {
      const held = count(fleet.scheduled, "task");
      const scheduled = `${held} more in Airflow's state "scheduled": Airflow queues them when a slot ([core] parallelism), their pool and their Dag's limits allow.`;
      const below = fleet.scheduled > 0 ? [quiet(scheduled)] : [];
      if (fleet.waits.length === 0) return below.length ? below : [quiet("Nothing waits.")];
      const rows = fleet.waits.map((each) => {
        let reason = make("span", { textContent: each.cause });
        if (each.detail && each.detail !== each.cause) {
          reason = make("details", {}, make("summary", { textContent: each.cause }), make("p", { textContent: each.detail }));
          keyed(reason, each.cause);
        }
        const example = link(`${each.example.dag}.${taskName(each.example)}`, inAirflow(each.example.path));
        return row(columns, [reason, each.count.toLocaleString("en"), age(each.oldest), example]);
      });
      return [table("Why tasks wait", columns, rows), ...below];
    });
  }

  function drawFailures(fleet) {
    const columns = [["Newest", "nowrap"], ["What happened", "long"], ["Tasks"]];
    draw("failures", fleet.failures, () => {
      if (fleet.failures === null) return [quiet("You may not read the Audit Log, so failures and their reasons are not shown.")];
      if (fleet.failures.length === 0) return [quiet("None in the last 24 hours.")];
      const rows = fleet.failures.map((each) => {
        const [first, ...others] = each.tasks;
        const what = make("details", {}, make("summary", { textContent: each.title }), make("p", { textContent: `${each.event}: ${each.text}` }));
        keyed(what, `why ${each.title}`);
        const who = make("div", {}, failedTask(first));
        if (others.length > 0) {
          const list = make("ul", {}, ...others.map((other) => make("li", {}, failedTask(other), ago(other))));
          const summary = make("summary", { textContent: `and ${count(others.length, "other")}` });
          who.append(keyed(make("details", {}, summary, list), `who ${each.title}`));
        }
        return row(columns, [ago(first), what, who]);
      });
      const number = fleet.failures.reduce((sum, each) => sum + each.tasks.length, 0);
      const note = number < fleet.failures_shown ? "All of the last 24 hours." : `The last ${number} of the last 24 hours.`;
      return [table("Last failures", columns, rows), quiet(note)];
    });
  }

  function drawCosts(fleet) {
    const columns = [["Dag", "long"], ["ECS tasks", "number"], ["vCPU-hours", "number"], ["GB-hours", "number"], ["US dollars", "number"]];
    const amount = (number) => (number === null ? "not known" : number.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 4 }));
    const line = (name, each) => row(columns, [name, each.tasks.toLocaleString("en"), amount(each.vcpu_hours), amount(each.gb_hours), amount(each.dollars)]);
    draw("costs", fleet.costs, () => {
      if (fleet.failures === null) return [quiet("You may not read the Audit Log, so what Dags have used is not shown.")];
      if (fleet.costs === null) return [quiet("What Dags have used can't be read just now: Airflow's metadata database is slow, or can't be read.")];
      const { dags, others, total, hours, complete } = fleet.costs;
      if (dags.length === 0) {
        return [quiet(`The Audit Log has no costs of the last ${hours} hours. The option log_cost of [ecs_async_executor] makes the scheduler write them.`)];
      }
      const rows = dags.map((each) => line(each.dag, each));
      if (others !== null) rows.push(line(count(others.dags, "other Dag"), others));
      if (rows.length > 1) rows.push(line("all", total));
      const which = complete ? `All ECS tasks that ended in the last ${hours} hours` : `The last ${total.tasks.toLocaleString("en")} ECS tasks that ended`;
      const unpriced = total.unpriced > 0 ? ` The price of ${count(total.unpriced, "task")} is not known: the option task_prices sets it.` : "";
      return [table("What Dags have used", columns, rows), quiet(`${which}, by their rows in the Audit Log; live ones are not counted yet.${unpriced}`)];
    });
  }

  function failedTask(each) {
    const name = link(`${each.dag}.${taskName(each)}`, inAirflow(each.path));
    const tried = each.try === null ? "" : ` try ${each.try}, `;
    return make("span", {}, name, make("span", { className: "quiet", textContent: tried }), link("Audit Log", inAirflow(`${each.path}/events`)));
  }

  function ago(each) {
    const when = new Date(each.at * 1000);
    return make("time", { textContent: ` ${age(each.age)} ago`, title: when.toLocaleString(), dateTime: when.toISOString() });
  }

  function sortHead(key, title) {
    if (key === null) return title;
    const active = state.sort === key;
    const arrow = active ? (state.descending ? " ↓" : " ↑") : "";
    const button = keyed(make("button", { type: "button", textContent: title + arrow }), `sort ${key}`);
    button.addEventListener("click", () => change({ sort: key, descending: active ? !state.descending : key === "age" }));
    return button;
  }

  function drawTasks(fleet) {
    const kinds = { age: "number", try: "number", phase: "long", run: "long" };
    const columns = COLUMNS.map(([key, title]) => [title, kinds[key]]);
    draw("tasks", [fleet.tasks, fleet.total, state.sort, state.descending], () => {
      if (fleet.total === 0) {
        return [quiet("No task of this executor is live now. Tasks appear here when Airflow queues them, and leave when they end.")];
      }
      if (fleet.matching === 0) return [quiet("No live task matches the filters.")];
      const rows = fleet.tasks.map((each) => {
        const phase = make("span", { className: `${each.phase} phase`, textContent: each.phase });
        const cell = make("div", {}, phase, each.cause === null ? null : make("div", { textContent: each.cause }));
        const task = link(taskName(each), inAirflow(each.path));
        let ecs = null;
        if (each.arn !== null) {
          const short = `…${each.ecs_task.slice(-8)}`;
          ecs = make("code", { title: each.arn }, each.console === null ? short : link(short, each.console));
        }
        const scheduler = each.scheduler === null ? "" : String(each.scheduler);
        return row(columns, [cell, age(each.age), each.dag, task, each.run, String(each.try), each.queue, scheduler, ecs]);
      });
      const made = table("Live tasks", columns, rows);
      made.querySelectorAll("th").forEach((head, index) => {
        const [key, title] = COLUMNS[index];
        head.replaceChildren(sortHead(key, title));
        if (state.sort === key) head.setAttribute("aria-sort", state.descending ? "descending" : "ascending");
      });
      return [made];
    });
    const filtered = state.text !== "" || state.phase !== "" || state.queue !== "";
    const left = fleet.left_out > 0 ? ` ${count(fleet.left_out, "task")} more, the last queued ones, can't be shown.` : "";
    byId("matching").hidden = fleet.total === 0;
    byId("matching").textContent =
      (filtered ? `${fleet.matching.toLocaleString("en")} of ${count(fleet.total, "live task")} match.` : `${count(fleet.total, "live task")}.`) + left;
    byId("clear").hidden = !filtered;
    const from = fleet.page * fleet.page_size;
    byId("pages").hidden = fleet.pages < 2;
    byId("page").textContent = `${from + 1} to ${from + fleet.tasks.length} of ${fleet.matching.toLocaleString("en")}`;
    byId("previous").disabled = fleet.page === 0;
    byId("next").disabled = fleet.page >= fleet.pages - 1;
  }

  function options(id, values, selected) {
    draw(id, values, () => values.map(([value, text]) => make("option", { value, textContent: text })));
    byId(id).value = selected;
  }

  function drawFilters(fleet) {
    options("phase", [["", "all"], ...Object.keys(PHASES).map((phase) => [phase, phase])], state.phase);
    const queues = Object.keys(fleet.queues);
    if (state.queue !== "" && !queues.includes(state.queue)) queues.push(state.queue); // none of its tasks is live now
    options("queue", [["", "all"], ...queues.map((queue) => [queue, `${queue} (${fleet.queues[queue] ?? 0})`])], state.queue);
    const sorts = COLUMNS.filter(([key]) => key !== null).map(([key, title]) => [key, title]);
    options("sort", sorts, state.sort);
    if (document.activeElement !== byId("text")) byId("text").value = state.text;
  }

  function drawAll() {
    byId("content").hidden = false;
    drawPhases(shown);
    drawSchedulers(shown);
    drawStandbys(shown);
    drawWaits(shown);
    drawFailures(shown);
    drawCosts(shown);
    drawFilters(shown);
    drawTasks(shown);
  }

  // --- asking ----------------------------------------------------------------------------------------------

  function change(what) {
    Object.assign(state, { page: 0 }, what);
    store();
    if (shown !== null) {
      drawPhases(shown);
      drawFilters(shown);
    }
    refresh();
  }

  function problem(...parts) {
    byId("problem").replaceChildren(...parts);
    byId("problem").hidden = parts.length === 0;
  }

  function tellProblem(status, detail) {
    const old = shownAt === null ? "" : ` What you see is from ${shownAt.toLocaleTimeString()}.`;
    if (status === 401) {
      const login = `api/v2/auth/login?next=${encodeURIComponent(new URL("plugin/ecs-fleet", airflow).pathname)}`;
      problem("You are logged out. ", link("Log in", inAirflow(login)), `.${old}`);
    } else if (status === 403) {
      problem(detail || "Airflow's auth manager does not let you see this page.");
    } else if (status === 0) {
      problem(`Airflow's API server can't be reached; it is tried again every ${REFRESH_SECONDS} seconds.${old}`);
    } else {
      problem(`The page can't be refreshed: ${detail || `the API server answers ${status}.`} It is tried again every ${REFRESH_SECONDS} seconds.${old}`);
    }
    byId("updated").textContent = "";
  }

  async function refresh() {
    window.clearTimeout(timer);
    const number = ++latest;
    const asked = new URLSearchParams(Object.keys(start).map((key) => [key, String(state[key])]));
    let status = 0;
    let answer = null;
    try {
      const response = await fetch(`fleet.json?${asked}`, { signal: AbortSignal.timeout(20_000) });
      status = response.status;
      answer = await response.json();
    } catch {
      if (status === 200) status = 0; // it broke off
    }
    if (number !== latest) return;
    if (status === 200) {
      shown = answer;
      shownAt = new Date();
      state.page = shown.page;
      problem();
      byId("updated").textContent = `Updated at ${shownAt.toLocaleTimeString()}, every ${REFRESH_SECONDS} seconds.`;
      drawAll();
    } else {
      tellProblem(status, typeof answer?.detail === "string" ? answer.detail : "");
    }
    schedule();
  }

  function schedule() {
    window.clearTimeout(timer);
    if (!document.hidden) timer = window.setTimeout(refreshUnlessMarked, REFRESH_SECONDS * 1000);
  }

  // Drawing would take away what a user is about to copy.
  function refreshUnlessMarked() {
    if (window.getSelection().isCollapsed) {
      refresh();
    } else {
      byId("updated").textContent = "Not refreshed while text is marked.";
      schedule();
    }
  }

  // --- the user --------------------------------------------------------------------------------------------

  let typing = null;
  byId("text").addEventListener("input", (event) => {
    window.clearTimeout(typing);
    typing = window.setTimeout(() => change({ text: event.target.value }), TYPING_MS);
  });
  byId("text").value = state.text;
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("phase").addEventListener("change", (event) => change({ phase: event.target.value }));
  byId("queue").addEventListener("change", (event) => change({ queue: event.target.value }));
  byId("sort").addEventListener("change", (event) => change({ sort: event.target.value, descending: event.target.value === "age" }));
  byId("clear").addEventListener("click", () => {
    byId("text").value = "";
    change({ text: "", phase: "", queue: "" });
  });
  byId("previous").addEventListener("click", () => change({ page: state.page - 1 }));
  byId("next").addEventListener("click", () => change({ page: state.page + 1 }));
  document.addEventListener("visibilitychange", () => (document.hidden ? window.clearTimeout(timer) : refresh()));

  refresh();
})();
