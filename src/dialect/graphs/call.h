#pragma once

#include <functional>
#include <memory>

#include "dialect/graphs/graph_run.h"
#include "dialect/graphs/graph_states.h"
#include "dialect/graphs/graph_table.h"
#include "dialect/graphs/header_patterns.h"
#include "dialect/http_options.h"
#include "wire/http.h"

namespace modelmill::graphs {

/// What all calls of graphs have in common. Immutable.
struct Context {
  /// Answers the paths of V1 and V2 for the models of this server.
  wire::HttpHandler services;
  HttpOptions http;
  HeaderPatterns propagated;
  /// A random number from 0 to 99. Any thread.
  std::function<int()> draw;
  /// The graphs that steps lead to. It outlives all calls; null: none.
  const GraphTable* graphs = nullptr;
  /// How it is with them; null: they are always ready.
  const GraphStates* states = nullptr;
};

/// Takes the request through the graph and answers it as KServe's router does. A client that goes away cancels all that
/// is under way. Loop thread.
void handle_graph(std::shared_ptr<wire::HttpExchange> exchange, ServedGraphPtr graph,
                  std::shared_ptr<const Context> context);

}  // namespace modelmill::graphs
