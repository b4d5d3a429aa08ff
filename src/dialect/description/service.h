#pragma once

#include <optional>
#include <string>

#include "catalog/catalog.h"
#include "dialect/description/root_reply.h"
#include "dialect/graphs/graph_states.h"
#include "dialect/http_router.h"
#include "wire/grpc.h"

namespace modelmill::description {

struct Options {
  std::string server_version;
  /// What GET / answers in the place of the front page.
  std::optional<RootReply> root;
  /// Where TensorFlow Serving's metrics are; empty: at their usual path.
  std::string tf_metrics_path;
  /// The front page is at /docs, too.
  bool docs = false;
  /// Inference graphs, which are listed beside the models; must outlive the wire. Null: there are none.
  const graphs::GraphStates* graphs = nullptr;
};

/// Adds what tells of the server itself: GET / (front_page.h) and perhaps /docs, GET /openapi.json (open_api.h), and
/// GET /protos and /protos/FILE, the files of the gRPC services. `catalog` and `methods` must outlive the wire.
void add_to(HttpRouter& router, const Catalog& catalog, const wire::GrpcMethods& methods, Options options);

}  // namespace modelmill::description
