// Reads a card's code from a picture or the camera, where the browser has a reader of codes, and fills the form with it.
// The picture stays here. Without this script the code is pasted.
"use strict";
(async () => {
  const known = "BarcodeDetector" in window && (await window.BarcodeDetector.getSupportedFormats());
  if (!known || !known.includes("qr_code")) return;
  const reader = new window.BarcodeDetector({ formats: ["qr_code"] });
  const one = (id) => document.getElementById(id);
  const form = one("verify-card"), preview = one("preview"), unread = one("unread"), camera = one("camera");
  one("with-reader").hidden = false;
  one("without-reader").hidden = true;
  const take = (found) => {
    const code = found.map((each) => each.rawValue).find((text) => /^NT[SD]1:/.test(text));
    if (!code) return false;
    one("f-code").value = code;
    form.requestSubmit();
    return true;
  };
  one("f-picture").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    try {
      unread.hidden = take(await reader.detect(await createImageBitmap(file)));
    } catch {
      unread.hidden = false;
    }
  });
  if (!(navigator.mediaDevices && navigator.mediaDevices.getUserMedia)) {
    camera.hidden = true;
    return;
  }
  camera.addEventListener("click", async () => {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      unread.hidden = false;
      return;
    }
    preview.srcObject = stream;
    preview.hidden = false;
    await preview.play();
    const look = async () => {
      if (take(await reader.detect(preview))) {
        stream.getTracks().forEach((track) => track.stop());
        preview.hidden = true;
      } else {
        requestAnimationFrame(look);
      }
    };
    look();
  });
})();
