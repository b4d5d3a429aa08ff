#include "wire/server.h"

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
  std::shared_ptr<Listener> listener;
  uint16_t port = 0;

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
    : rep_(std::make_shared<Rep>(Rep{loops, options, nullptr, nullptr})) {
  rep_->core = std::make_shared<ServerCore>(loops, options.limits, std::move(http), grpc, metrics, options.gatekeeper);
}

Server::~Server() {
  drain(Clock::now());
  // Loops that have stopped, or never began, had no part in drain(). Nothing runs on them, so this thread may.
  if (rep_->listener) rep_->listener->stop();
  for (Loop* loop : rep_->loops.loops()) {
    auto& connections = rep_->core->connections_of(*loop);
    while (!connections.empty()) std::shared_ptr(*connections.begin())->cut();
  }
}

Status Server::listen() {
  auto socket = open_listening_socket(rep_->options.host, rep_->options.port);
  if (!socket.ok()) return socket.status();
  rep_->port = socket->port;
  rep_->listener = make_listener(rep_->core, rep_->loops, *socket);
  rep_->listener->start();
  return ok_status();
}

uint16_t Server::port() const { return rep_->port; }

void Server::ask_to_leave() { rep_->core->set_asks_to_leave(); }

void Server::drain(TimePoint until) {
  rep_->core->set_draining();
  rep_->core->on_every_loop([rep = rep_.get()](Loop& loop) {
    if (rep->listener && &rep->listener->loop() == &loop) rep->listener->stop();
  });
  rep_->for_each_connection(&Connection::drain);
  rep_->core->wait_none_open(until);
  rep_->for_each_connection(&Connection::cut);
}

}  // namespace modelmill::wire
