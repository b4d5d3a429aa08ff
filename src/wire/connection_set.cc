#include "wire/connection_set.h"

#include <utility>

#include "wire/connection.h"

namespace modelmill::wire {

ConnectionSet::ConnectionSet(Loop& loop, Duration interval) : loop_(loop), interval_(interval) {}

ConnectionSet::~ConnectionSet() = default;

void ConnectionSet::insert(std::shared_ptr<Connection> connection) {
  connections_.insert(std::move(connection));
  if (timer_ == nullptr) arm();
}

void ConnectionSet::erase(const std::shared_ptr<Connection>& connection) {
  connections_.erase(connection);
  if (connections_.empty()) timer_.reset();
}

void ConnectionSet::arm() {
  if (interval_ > Duration::zero()) timer_ = loop_.run_at(Clock::now() + interval_, [this] { look(); });
}

void ConnectionSet::look() {
  const TimePoint now = Clock::now();
  for (auto at = connections_.begin(); at != connections_.end();) {
    const std::shared_ptr<Connection> connection = *at++;  // a look may close it, and so take it out of the set
    connection->look(now);
  }
  timer_.reset();
  if (!connections_.empty()) arm();
}

}  // namespace modelmill::wire
