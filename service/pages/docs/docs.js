// The reference: Swagger UI on this service's own document. The token stays in the page's memory.

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const TOKEN_PATH = /^\/users\/([^/]+)\/token$/;
const MESSAGES_PATH = /^\/users\/[^/]+\/messages$/;
/** What parameters are filled in with rather than with their examples: whose token the page has, and what was sent last. */
const known = new Map();

/** Swagger UI fills a parameter in with its example, or else its default. An optional one stays empty: it only tells them. */
const filledIn = (original) => (state, ...args) => {
  const parameter = original(...args);
  if (!parameter) {
    return parameter;
  }
  const name = parameter.get("name");
  if (parameter.get("required")) {
    return known.has(name) ? parameter.set("example", known.get(name)) : parameter;
  }
  const told = [["Default", parameter.getIn(["schema", "default"])], ["Example", parameter.get("example")]]
    .filter(([, value]) => value !== undefined)
    .map(([what, value]) => `${what}: \`${value}\``);
  return parameter.update("description", (text) => `${text}\n\n${told.join(", ")}`)
    .delete("example").deleteIn(["schema", "example"]).deleteIn(["schema", "default"]);
};

/** Swagger UI shows an answer when it is whole, and a stream of events goes on. */
const canBeTried = (original, system) => (state, path, method) => {
  const answers = system.specSelectors.specJson().getIn(["paths", path, method, "responses", "200", "content"]);
  return !answers?.has("text/event-stream") && original(path, method);
};

/** From now on the page sends the token that an answer brought, and names the message that was sent. */
const learn = (response) => {
  const path = new URL(response.url, location).pathname;
  const owner = TOKEN_PATH.exec(path)?.[1];
  if (response.status === 201 && owner) {
    known.set("username", decodeURIComponent(owner));
    reference.preauthorizeApiKey("token", response.obj.access_token);
  } else if (response.status === 201 && MESSAGES_PATH.test(path)) {
    known.set("id", response.obj.id);
  }
  return response;
};

const reference = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null, // the document is shown to no other server
  responseInterceptor: learn,
  plugins: [{
    statePlugins: { spec: { wrapSelectors: { parameterWithMetaByIdentity: filledIn, allowTryItOutFor: canBeTried } } },
  }],
});

// The inbox can be switched off.
fetch("/", { method: "HEAD" }).then((answer) => {
  document.querySelector("#inbox").hidden = !answer.ok;
});
