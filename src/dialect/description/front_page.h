#pragma once

#include <string>

#include "catalog/catalog.h"
#include "dialect/graphs/graph_states.h"
#include "wire/http.h"

namespace modelmill::description {

/// Whether who asks for / is a browser.
bool is_browser(const wire::HttpRequest& request);

/// What GET / answers: a browser, which asks for HTML, gets a page that lists the models and lets one be tried; anybody
/// else gets what this server is and has, as text.
wire::HttpReply front_page(const wire::HttpRequest& request, const Catalog& catalog, const graphs::GraphStates* graphs,
                           const std::string& server_version);

}  // namespace modelmill::description
