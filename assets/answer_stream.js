// Gradio's answers come in one stream, which the server closes when none is left to give. For what
// is asked at that moment Gradio would listen to the closed stream, for ever; here it goes on in a
// new one, and Gradio hears of the end only when nothing waits.
(() => {
  const plain = window.fetch;
  let waiting = 0; // events asked for whose last message has not come

  const ask = async (request) => {
    waiting++;
    try {
      const answer = await plain(request);
      if (!answer.ok) waiting--;
      return answer;
    } catch (error) {
      waiting--;
      throw error;
    }
  };

  // Passes on messages until the stream's end; whether it is to go on.
  const pass = async (stream, out) => {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const {value, done} = await reader.read();
      if (done) return false;
      const messages = (text + value).split("\n\n");
      text = messages.pop();
      for (const message of messages) {
        const {msg} = JSON.parse(message.slice("data:".length));
        if (msg === "process_completed") waiting--;
        if (msg === "close_stream" && waiting > 0) return true;
        out.enqueue(new TextEncoder().encode(`${message}\n\n`));
      }
    }
  };

  const listen = async (request) => {
    const first = await plain(request.clone());
    if (!first.ok) return first;
    const start = async (out) => {
      try {
        for (let {body} = first; await pass(body, out); {body} = await plain(request.clone()));
        out.close();
      } catch (error) { // no connection, or Gradio has stopped listening
        out.error(error);
      }
    };
    return new Response(new ReadableStream({start: (out) => { start(out); }}), first);
  };

  window.fetch = (...given) => {
    const {pathname} = new URL(given[0].url ?? given[0], location.href);
    if (pathname.endsWith("/queue/join")) return ask(new Request(...given));
    if (pathname.endsWith("/queue/data")) return listen(new Request(...given));
    return plain(...given);
  };
})();
