// The API reference: Swagger UI with the document of this service. The token is kept in memory only.

const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

const TOKEN_PATH = /^\/users\/([^/]+)\/token$/;
const MESSAGES_PATH = /^\/users\/[^/]+\/messages$/;
/** Values of parameters that replace their examples: the user of the token, and the message that was sent last. */
const known = new Map();

/** Swagger UI fills in the example or default of each parameter. For optional ones, this only shows them as text. */
const filledIn =
  (original) =>
  (state, ...args) => {
    const parameter = original(...args);
    if (!parameter) {
      return parameter;
    }
    const name = parameter.get("name");
    if (parameter.get("required")) {
      return known.has(name) ? parameter.set("example", known.get(name)) : parameter;
    }
    const told = [
      ["Default", parameter.getIn(["schema", "default"])],
      ["Example", parameter.get("example")],
    ]
      .filter(([, value]) => value !== undefined)
      .map(([what, value]) => `${what}: \`${value}\``);
    return parameter
      .update("description", (text) => `${text}\n\n${told.join(", ")}`)
      .delete("example")
      .deleteIn(["schema", "example"])
      .deleteIn(["schema", "default"]);
  };

/** Swagger UI shows a response only when it is complete, so event streams cannot be tried out. */
const canBeTried = (original, system) => (state, path, method) => {
  const responses = system.specSelectors.specJson().getIn(["paths", path, method, "responses", "200", "content"]);
  return !responses?.has("text/event-stream") && original(path, method);
};

/** Stores the token of a login response, and the id of a message that was sent. */
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
  plugins: [
    {
      statePlugins: {
        spec: { wrapSelectors: { parameterWithMetaByIdentity: filledIn, allowTryItOutFor: canBeTried } },
      },
    },
  ],
});

// The inbox can be disabled.
fetch("/", { method: "HEAD" }).then((response) => {
  document.querySelector("#inbox").hidden = !response.ok;
});
