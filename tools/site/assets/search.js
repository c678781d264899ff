// Finds the sections that hold all words of the query. Words in a heading count more.
(function () {
  "use strict";
  var base = document.currentScript.dataset.base;
  var status = document.getElementById("status");
  var query = new URLSearchParams(location.search).get("q") || "";
  var box = document.querySelector("input[name=q]");
  document.addEventListener("keydown", function (e) {
    if (e.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      e.preventDefault();
      box.focus();
    }
  });
  if (!status) { return; }
  box.value = query;
  var words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) {
    status.textContent = "Type a word, a setting or a code into the field above.";
    return;
  }

  function count(text, word) { return text.split(word).length - 1; }

  function score(entry) {
    var heading = entry.h.toLowerCase(), page = entry.p.toLowerCase(), text = entry.t.toLowerCase(), sum = 0;
    for (var i = 0; i < words.length; i++) {
      var w = words[i];
      var s = 20 * count(heading, w) + 8 * count(page, w) + Math.min(5, count(text, w));
      if (!s) { return 0; }
      sum += s;
    }
    return sum;
  }

  function excerpt(text) {
    var at = Math.max(0, text.toLowerCase().indexOf(words[0]) - 80);
    var p = document.createElement("p"), rest = (at ? "… " : "") + text.slice(at, at + 260) + (text.length > at + 260 ? " …" : "");
    while (rest) {
      var low = rest.toLowerCase(), first = -1, length = 0;
      words.forEach(function (w) {
        var i = low.indexOf(w);
        if (i >= 0 && (first < 0 || i < first)) { first = i; length = w.length; }
      });
      if (first < 0) { break; }
      p.append(rest.slice(0, first));
      p.appendChild(document.createElement("mark")).textContent = rest.slice(first, first + length);
      rest = rest.slice(first + length);
    }
    p.append(rest);
    return p;
  }

  function show() {
    var found = [];
    window.searchIndex.forEach(function (e) {
      var s = score(e);
      if (s) { found.push([s, e]); }
    });
    found.sort(function (a, b) { return b[0] - a[0]; });
    status.textContent = found.length + (found.length === 1 ? " section" : " sections") + " for “" + query + "”";
    var list = document.getElementById("results");
    found.slice(0, 40).forEach(function (f) {
      var li = document.createElement("li"), a = document.createElement("a"), e = f[1];
      a.href = base + e.u;
      a.textContent = e.h === e.p ? e.p : e.p + " › " + e.h;
      li.append(a, excerpt(e.t));
      list.append(li);
    });
  }

  var script = document.createElement("script");
  script.src = base + "index.js";
  script.onload = show;
  script.onerror = function () { status.textContent = "The index did not load: index.js is missing next to this page."; };
  document.body.append(script);
})();
