
"use strict";
const show = (id, text) => { document.getElementById(id).textContent = text; };
const url = location.href;
// The server sends the parameters in the query or in the fragment.
const parameters = [location.search, location.hash].map((part) => new URLSearchParams(part.slice(1)));
const find = (name) => parameters.map((part) => part.get(name)).find((value) => value !== null);
// From now on, neither the address bar nor the history has the code.
history.replaceState(null, "", location.pathname);
if (find("state") === undefined) {
  show("title", "No login");
  show("text", "A login ends on this page. The URL of this visit has no login in it.");
} else {
  const refused = find("error");
  show("title", refused === undefined ? "Almost logged in" : "Not logged in");
  show("text", refused === undefined
    ? "Copy this URL, and give it to the command: atproto-oauth complete"
    : "The server refused the login: " + (find("error_description") ?? refused)
      + ". Give this URL to the command all the same, so that it forgets the login: atproto-oauth complete");
  const field = document.getElementById("url");
  field.value = url;
  field.hidden = false;
  field.addEventListener("focus", () => field.select());
  const copy = document.getElementById("copy");
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(url);
      copy.textContent = "Copied";
    } catch {
      field.focus();
      copy.textContent = "Copy the selected text";
    }
  });
}
