// Search runs in a worker, and a browser starts no worker from a file on the disk. If a page was
// opened from the disk, this runs the same script in a hidden frame. Material's script for the
// search recognises the frame by the name IFrameWorker.
if (location.protocol === "file:") {
  const BrowserWorker = window.Worker
  window.Worker = window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      // A worker made from a Blob, as the playground's, is allowed.
      if (String(url).startsWith("blob:")) return new BrowserWorker(url)
      super()
      const frame = document.createElement("iframe")
      frame.hidden = true
      frame.title = "Search"
      document.body.append(frame)
      this.inside = frame.contentWindow
      this.inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data }))
      const script = frame.contentDocument.createElement("script")
      script.src = url
      this.ready = new Promise(resolve => { script.onload = resolve })
      frame.contentDocument.body.append(script)
    }

    async postMessage(data) {
      await this.ready
      this.inside.dispatchEvent(new MessageEvent("message", { data }))
    }
  }
}
