#include "wire/connection_set.h"

#include <algorithm>
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
  if (interval_ == Duration::zero()) return;
  looked_ = Clock::now();
  timer_ = loop_.run_at(looked_ + interval_, [this] { look(); });
}

void ConnectionSet::look() {
  // While a loop was held up, or the whole process, it has read nothing of what came: that is not its clients' time.
  time_ += std::min<Duration>(Clock::now() - looked_, 2 * interval_);
  for (auto at = connections_.begin(); at != connections_.end();) {
    const std::shared_ptr<Connection> connection = *at++;  // a look may close it, and so take it out of the set
    connection->look(time_);
  }
  timer_.reset();
  if (!connections_.empty()) arm();
}

}  // namespace modelmill::wire
