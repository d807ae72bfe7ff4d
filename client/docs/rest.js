/** Swagger UI over /schema/, light or dark as the rest of Space. */

const place = document.getElementById("swagger-ui");
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function shade() {
  const chosen = window.theme.chosen();
  const dark = chosen === "system" ? systemIsDark.matches : chosen === "dark";
  document.documentElement.classList.toggle("dark-mode", dark);
}

window.theme.onChange(shade);
systemIsDark.addEventListener("change", shade);
shade();

window.SwaggerUIBundle({
  url: place.dataset.schema,
  domNode: place,
  presets: [window.SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  persistAuthorization: false, // a token is kept nowhere
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // asks no other host
});
