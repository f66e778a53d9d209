// The reference: Swagger UI on this service's own document. The token that is entered stays in the page's memory.

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null, // the document is shown to no other server
});
