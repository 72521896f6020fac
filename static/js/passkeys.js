// Passkeys: asks the browser for one and puts its answer into the form. No library: five fields are bytes, the rest is copied.
// A form says by data-passkey what it does (login, use, add), and by data-question what the server asks; `login` fetches
// its question when pressed, so that it is fresh on a page that was open for long.

const fromText = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const toText = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function question(asked) {
  const key = { ...asked.publicKey, challenge: fromText(asked.publicKey.challenge) };
  if (key.user) key.user = { ...key.user, id: fromText(key.user.id) };
  for (const list of ["allowCredentials", "excludeCredentials"]) {
    if (key[list]) key[list] = key[list].map((one) => ({ ...one, id: fromText(one.id) }));
  }
  return { publicKey: key };
}

function answer(passkey) {
  const response = { clientDataJSON: toText(passkey.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (passkey.response[name]) response[name] = toText(passkey.response[name]);
  }
  if (passkey.response.getTransports) response.transports = passkey.response.getTransports();
  return {
    id: passkey.id,
    rawId: toText(passkey.rawId),
    type: passkey.type,
    authenticatorAttachment: passkey.authenticatorAttachment,
    response,
    clientExtensionResults: passkey.getClientExtensionResults(),
  };
}

async function ask(form) {
  if (form.dataset.passkey !== "login") return JSON.parse(form.dataset.question);
  const reply = await fetch(form.action, { headers: { Accept: "application/json" } });
  if (!reply.ok) throw new TypeError(`status ${reply.status}`);
  return (await reply.json()).request_options;
}

async function passkeyFor(form) {
  const asked = question(await ask(form));
  if (form.dataset.passkey !== "add") return navigator.credentials.get(asked);
  // Kept on its device and asking for a finger, a face or a PIN: it signs in by itself.
  const kept = { residentKey: "required", requireResidentKey: true, userVerification: "required" };
  asked.publicKey.authenticatorSelection = { ...asked.publicKey.authenticatorSelection, ...kept };
  return navigator.credentials.create(asked);
}

const WORDS = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "known", TypeError: "away" };

function say(form, name) {
  for (const words of form.querySelectorAll("[data-said]")) words.hidden = words.dataset.said !== name;
}

async function pressed(event) {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("[type=submit]");
  if (button.disabled) return;
  button.disabled = true;
  say(form, "");
  try {
    form.elements.credential.value = JSON.stringify(answer(await passkeyFor(form)));
    form.submit();
  } catch (error) {
    button.disabled = false;
    say(form, WORDS[error.name] ?? "failed");
    button.focus();
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  if (window.PublicKeyCredential) {
    form.addEventListener("submit", pressed);
  } else {
    form.querySelector("[type=submit]").disabled = true;
    say(form, "unsupported");
  }
}

// Gone back to from the next page: the button is as it was before the press.
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[data-passkey] [type=submit]")) button.disabled = !window.PublicKeyCredential;
});
