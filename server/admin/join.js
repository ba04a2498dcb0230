"use strict";
(() => {
  const show = (id, yes) => { document.getElementById(id).hidden = !yes };
  const fill = () => {
    const code = location.hash.slice(1);
    const at = location.origin + location.pathname;
    // The command goes into somebody's terminal: nothing that a shell would take for its own stands in it.
    const good = /^[0-9A-Za-z-]{1,100}$/.test(code) && /^https?:[0-9A-Za-z.:/_~[\]-]+$/.test(at);
    if (good) {
      document.getElementById("code").textContent = code;
      const app = document.getElementById("app"); // where the server has one
      if (app) app.href = `app/#/join/${code}`;
      const whole = document.createElement("span"); // is not broken, so that it can be typed off
      whole.textContent = `#${code}"`;
      document.getElementById("command").replaceChildren(`trio device join "${at}`, document.createElement("wbr"), whole);
    }
    show("invited", good);
    show("none", !good);
  };
  const copy = async (button) => {
    const from = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(from.textContent);
    } catch { // a page without TLS has no clipboard: it is marked, to be copied by hand
      getSelection().selectAllChildren(from);
      return;
    }
    const was = button.textContent;
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = was }, 2000);
  };
  for (const b of document.querySelectorAll("[data-copy]")) b.addEventListener("click", () => copy(b));
  addEventListener("hashchange", fill);
  fill();
})();
