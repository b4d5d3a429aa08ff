#include "wire/server.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "wire/connection.h"
#include "wire/listener.h"
#include "wire/server_core.h"

namespace modelmill::wire {

struct Server::Rep {
  LoopPool& loops;
  Options options;
  std::shared_ptr<ServerCore> core;
  std::shared_ptr<const TlsTerms> tls;  // null when there is no certificate
  std::vector<std::shared_ptr<Listener>> listeners;
  std::vector<Endpoint> bound;

  /// An IPv6 socket takes IPv4 as well, unless the same port is asked for with an IPv4 address of its own.
  bool has_ipv4_twin(const Endpoint& endpoint) const {
    return endpoint.port != 0 && endpoint.host.find(':') != std::string::npos &&
           std::any_of(options.endpoints.begin(), options.endpoints.end(), [&](const Endpoint& other) {
             return !other.is_unix() && other.port == endpoint.port && other.host.find(':') == std::string::npos;
           });
  }

  bool speaks_tls(const Endpoint& endpoint) const {
    return tls && !endpoint.is_unix() && endpoint.scheme != Endpoint::Scheme::kHttp;
  }

  /// Calls `what` for every connection, each on its loop.
  void for_each_connection(void (Connection::*what)()) {
    core->on_every_loop([this, what](Loop& loop) {
      auto& connections = core->connections_of(loop);
      const std::vector<std::shared_ptr<Connection>> all(connections.begin(), connections.end());
      for (const auto& connection : all) (connection.get()->*what)();
    });
  }
};

Server::Server(LoopPool& loops, Options options, HttpHandler http, GrpcMethods& grpc, MetricRegistry& metrics)
    : rep_(std::make_shared<Rep>(Rep{loops, options, nullptr, nullptr, {}, {}})) {
  rep_->core = std::make_shared<ServerCore>(loops, options, std::move(http), grpc, metrics);
  if (options.tls)
    rep_->tls = std::make_shared<TlsTerms>(
        TlsTerms{options.tls, std::make_shared<TlsHandshakes>(metrics), options.limits.tls_handshake_timeout});
}

Server::~Server() {
  drain(Clock::now());
  // Loops that have stopped, or never began, had no part in drain(). Nothing runs on them, so this thread may.
  for (const auto& listener : rep_->listeners) listener->stop();
  for (Loop* loop : rep_->loops.loops()) {
    auto& connections = rep_->core->connections_of(*loop);
    while (!connections.empty()) std::shared_ptr(*connections.begin())->cut();
  }
}

Status Server::listen() {
  std::vector<std::vector<ListeningSocket>> sockets;  // of each endpoint
  for (const Endpoint& endpoint : rep_->options.endpoints) {
    if (endpoint.scheme == Endpoint::Scheme::kHttps && !rep_->tls)
      return invalid_argument(url_text(endpoint) + " needs a certificate; give one with --tls-cert and --tls-key");
    MM_ASSIGN_OR_RETURN(auto addresses, ListeningSocket::open(endpoint, rep_->has_ipv4_twin(endpoint)));
    sockets.push_back(std::move(addresses));
  }
  for (std::vector<ListeningSocket>& addresses : sockets) {
    const bool tls = rep_->speaks_tls(addresses.front().endpoint());
    rep_->bound.push_back(addresses.front().endpoint());
    rep_->bound.back().scheme = tls ? Endpoint::Scheme::kHttps : Endpoint::Scheme::kHttp;
    for (ListeningSocket& socket : addresses) {
      rep_->listeners.push_back(make_listener(rep_->core, rep_->loops, std::move(socket), tls ? rep_->tls : nullptr));
      rep_->listeners.back()->start();
    }
  }
  return ok_status();
}

const std::vector<Endpoint>& Server::endpoints() const { return rep_->bound; }

uint16_t Server::port() const {
  for (const Endpoint& endpoint : rep_->bound)
    if (!endpoint.is_unix()) return endpoint.port;
  return 0;
}

void Server::ask_to_leave() { rep_->core->set_asks_to_leave(); }

int Server::open_connections() const { return rep_->core->open_connections(); }

void Server::drain(TimePoint until) {
  rep_->core->set_draining();
  rep_->core->on_every_loop([rep = rep_.get()](Loop& loop) {
    for (const auto& listener : rep->listeners)
      if (&listener->loop() == &loop) listener->stop();
  });
  rep_->for_each_connection(&Connection::drain);
  rep_->core->wait_none_open(until);
  rep_->for_each_connection(&Connection::cut);
}

}  // namespace modelmill::wire
