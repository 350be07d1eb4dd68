// Asks the proxy. A key, where one is needed, stays in this tab.

const dialog = document.getElementById("sign-in");

export class ApiError extends Error {
  constructor(message, status, body) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

export const get = (path, query = {}, signal = undefined) => ask("GET", path + text(query), undefined, signal);
export const post = (path, body) => ask("POST", path, body);
export const put = (path, body) => ask("PUT", path, body);

function text(query) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

async function ask(method, path, body, signal) {
  const headers = { accept: "application/json" };
  const key = sessionStorage.getItem("key");
  if (key) headers.authorization = `Bearer ${key}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  const message = answer?.error?.message ?? `The proxy answered ${response.status}.`;
  if (response.status === 401) {
    await signIn(message);
    return ask(method, path, body, signal);
  }
  throw new ApiError(message, response.status, answer);
}

let asking = null;

function signIn(why) {
  asking ??= new Promise((resolve) => {
    document.getElementById("sign-in-why").textContent = why;
    const field = document.getElementById("sign-in-key");
    field.value = "";
    dialog.showModal();
    dialog.addEventListener("close", () => {
      sessionStorage.setItem("key", field.value.trim());
      asking = null;
      resolve();
    }, { once: true });
  });
  return asking;
}
