#pragma once

#include "route/request_facts.h"
#include "serve/routed_request.h"
#include "wire/grpc.h"
#include "wire/http.h"

namespace modelmill {

/// What a route may look at in a request of either protocol; views of it.
inline RequestFacts facts_of(const wire::HttpRequest& request) {
  return {&request.headers, request.query, request.peer, nullptr};
}
inline RequestFacts facts_of(const wire::GrpcCall& call) { return {&call.metadata(), {}, call.peer(), nullptr}; }

/// Tells the client of the reply who served it; `routed` may be null.
inline void add_route_headers(wire::HttpReply& reply, const RoutedRequestPtr& routed) {
  if (!routed) return;
  for (auto& header : routed->headers()) reply.headers.push_back(std::move(header));
}
inline void add_route_headers(wire::GrpcCall& call, const RoutedRequestPtr& routed) {
  if (!routed) return;
  for (auto& [name, value] : routed->headers()) call.add_header(std::move(name), std::move(value));
}

}  // namespace modelmill
