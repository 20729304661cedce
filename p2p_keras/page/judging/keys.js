// Keys and clicks on cards are told to the page's program through a hidden field.
(() => {
  let count = 0;
  const tell = message => {
    for (const page of Bokeh.documents) {
      const field = page.get_model_by_name("p2p-keys");
      if (field !== null) { count += 1; field.value = message + ":" + count; }
    }
  };
  document.addEventListener("click", event => {
    for (const element of event.composedPath()) {
      if (element.tagName === "A") { return; }
      if (element.dataset && element.dataset.say) { tell(element.dataset.say); return; }
    }
  });
  const meaning = {
    ArrowRight: "step:1", j: "step:1", ArrowLeft: "step:-1", k: "step:-1", PageDown: "page:1", PageUp: "page:-1",
    g: "judge:good", b: "judge:bad", u: "judge:none",
  };
  document.addEventListener("keydown", event => {
    const target = event.composedPath()[0];
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable;
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in meaning)) { return; }
    event.preventDefault();
    tell(meaning[event.key]);
  });
})();
