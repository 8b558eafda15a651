"use strict";
// Tables that sort and filter, the switch between light and dark, and runs that open when a link points at them.
// Text from the ledger reaches the page as text, never as markup.

(() => {
  const SHOWN = 25; // rows of a long table at a time
  const BADGES = ["counterexample", "robust", "value", "contradicted", "wrong"];
  // A number, alone or followed by what it is of: 8/9, 3 of 6, 1–2, 1.5 (9).
  const NUMBER = /^([-−]?[\d.,]+(?:e[-+]?\d+)?)%?(?:$|\/\d| of \d|–\d| \()/i;
  const COLLATOR = new Intl.Collator("en", { numeric: true });

  const number = (text) => {
    const found = NUMBER.exec(text.trim());
    return found ? Number(found[1].replaceAll(",", "").replace("−", "-")) : NaN;
  };

  // Sort rows by a column. Numbers stand before words and empty cells last, in both directions.
  const sorted = (rows, column, direction) => {
    const keyed = rows.map((row) => ({ row, text: row.texts[column], number: number(row.texts[column]) }));
    const kind = ({ text, number }) => (text === "–" || text === "" ? 2 : Number.isNaN(number) ? 1 : 0);
    const order = (a, b) => (kind(a) === 0 && a.number - b.number) || COLLATOR.compare(a.text, b.text);
    return keyed.sort((a, b) => kind(a) - kind(b) || direction * order(a, b)).map(({ row }) => row);
  };

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const makeRow = (cells, columns) => {
    const row = element("tr");
    cells.forEach((cell, place) => {
      const kind = columns[place].kind;
      const made = element(place === 0 ? "th" : "td");
      if (place === 0) made.scope = "row";
      if (kind !== "number") made.classList.add("text");
      if (kind === "link") {
        const link = element("a", cell[0]);
        link.href = cell[1];
        made.append(link);
      } else if (kind === "badge") {
        const word = cell.split(",")[0];
        made.append(element("span", cell, `badge ${BADGES.includes(word) ? word : ""}`));
      } else if (cell === "wrong") {
        made.append(element("span", cell, "badge wrong"));
      } else {
        made.textContent = cell;
        if (cell === "–") made.classList.add("none");
      }
      row.append(made);
    });
    return row;
  };

  // The groups of rows of a table. Each is sorted by itself, so that no order lifts a setting above the line.
  const groupsOf = (table, source) => {
    if (source) {
      const head = table.createTHead().insertRow();
      for (const column of source.columns) {
        const cell = element("th", column.title, column.kind === "number" ? "" : "text");
        cell.scope = "col";
        if (column.about) cell.title = column.about;
        head.append(cell);
      }
      const texts = (cells) => cells.map((cell) => (Array.isArray(cell) ? cell[0] : cell));
      return [{
        body: table.createTBody(),
        rows: source.rows.map((cells) => ({ texts: texts(cells), make: () => makeRow(cells, source.columns) })),
      }];
    }
    return [...table.tBodies].filter((body) => !body.classList.contains("line")).map((body) => ({
      body,
      rows: [...body.rows].map((row) => ({ texts: [...row.cells].map((cell) => cell.textContent.trim()), row })),
    }));
  };

  const enliven = (table) => {
    const source = table.dataset.source && window.vnnbench?.tables?.[table.dataset.source];
    if (table.dataset.source && !source) return;
    const groups = groupsOf(table, source);
    const heads = [...table.tHead.rows[0].cells];
    let [column, direction, wanted, shown] = [-1, 1, [], SHOWN];
    const output = document.querySelector(`output[data-table="${table.id}"]`);
    const more = element("button", "", "more");
    more.type = "button";
    table.parentElement.after(more);

    const draw = () => {
      let [kept, total, room] = [0, 0, shown];
      for (const { body, rows } of groups) {
        let fits = rows.filter(({ texts }) => {
          const text = texts.join(" ").toLowerCase();
          return wanted.every((word) => text.includes(word));
        });
        if (column >= 0) fits = sorted(fits, column, direction);
        const visible = fits.slice(0, room);
        body.replaceChildren(...visible.map((entry) => (entry.row ??= entry.make())));
        kept += fits.length;
        total += rows.length;
        room -= visible.length;
      }
      const rows = total === 1 ? "1 row" : `${total} rows`;
      if (output) output.textContent = kept === total ? rows : `${kept} of ${rows}`;
      more.hidden = kept <= shown;
      more.textContent = `Show more (${kept - Math.min(kept, shown)} left)`;
    };

    heads.forEach((head, place) => {
      const button = element("button", head.textContent);
      button.type = "button";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const ascending = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        [column, direction] = [place, ascending ? 1 : -1];
        draw();
      });
    });
    more.addEventListener("click", () => {
      shown += 10 * SHOWN;
      draw();
    });
    document.querySelector(`input[data-table="${table.id}"]`)?.addEventListener("input", (event) => {
      wanted = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
      shown = SHOWN;
      draw();
    });
    draw();
  };

  const openTarget = () => {
    let name;
    try {
      name = decodeURIComponent(location.hash.slice(1));
    } catch {
      return;
    }
    const target = name && document.getElementById(name);
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.scrollIntoView();
    }
  };

  const isDark = () => {
    const chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };

  document.querySelectorAll("table.sortable").forEach(enliven);
  document.querySelector(".links [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  document.getElementById("theme").addEventListener("click", () => {
    const theme = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new Event("vnnbench-theme"));
    try {
      localStorage.setItem("vnnbench-theme", theme);
    } catch {
      // Then the choice holds for this page only.
    }
  });
  window.addEventListener("hashchange", openTarget);
  openTarget();
})();
