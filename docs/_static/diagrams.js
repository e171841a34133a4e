// Draws the diagrams of a page in the theme that the page has, and again when that changes.
(() => {
  const blocks = [...document.querySelectorAll("pre.mermaid")];
  const sources = blocks.map((block) => block.textContent);
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  let round = 0;
  let drawn = null;

  const isDark = () => {
    const theme = document.body.dataset.theme;
    return theme === "dark" || (theme !== "light" && prefersDark.matches);
  };

  const draw = async () => {
    const mine = ++round;
    mermaid.initialize({
      startOnLoad: false,
      securityLevel: "strict",
      theme: isDark() ? "dark" : "neutral",
      fontFamily: getComputedStyle(document.body).fontFamily,
    });
    for (const [index, block] of blocks.entries()) {
      // An id of our own: Mermaid's are made from the time, and two may be the same.
      const { svg } = await mermaid.render(`diagram-${mine}-${index}`, sources[index]);
      if (mine !== round) return;
      block.innerHTML = svg;
      block.dataset.drawn = "";
    }
  };

  const drawIfChanged = () => {
    if (drawn !== isDark()) {
      drawn = isDark();
      draw();
    }
  };
  new MutationObserver(drawIfChanged).observe(document.body, { attributeFilter: ["data-theme"] });
  prefersDark.addEventListener("change", drawIfChanged);
  drawIfChanged();
})();
