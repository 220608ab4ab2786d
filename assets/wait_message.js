// Gradio says "queue: 3/7 |" to those who wait; here in words.
(() => {
  const reword = (node) => {
    const place = /^queue: (\d+)\/(\d+) \|/.exec(node.data ?? "");
    if (place) node.data = `Busy: you are number ${place[1]} of ${place[2]} who wait. `;
  };
  const search = (node) => {
    if (node.nodeType === Node.TEXT_NODE) reword(node);
    const inside = node.querySelectorAll?.(".progress-text") ?? [];
    const texts = node.matches?.(".progress-text") ? [node, ...inside] : inside;
    for (const text of texts) text.childNodes.forEach(reword);
  };
  new MutationObserver((changes) => {
    for (const change of changes) {
      if (change.type === "characterData") reword(change.target);
      else change.addedNodes.forEach(search);
    }
  }).observe(document, {subtree: true, childList: true, characterData: true});
})();
