// Draws the diagrams of a page in the theme that the page has, and again when that changes.
(() => {
  const blocks = [...document.querySelectorAll("pre.mermaid")];
  const sources = blocks.map((block) => block.textContent);
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

  const isDark = () => {
    const theme = document.body.dataset.theme;
    return theme === "dark" || (theme !== "light" && prefersDark.matches);
  };

  const draw = async () => {
    blocks.forEach((block, index) => {
      block.removeAttribute("data-processed");
      block.textContent = sources[index];
    });
    mermaid.initialize({
      startOnLoad: false,
      securityLevel: "strict",
      theme: isDark() ? "dark" : "neutral",
      fontFamily: getComputedStyle(document.body).fontFamily,
    });
    await mermaid.run({ nodes: blocks });
  };

  let drawn = null;
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
